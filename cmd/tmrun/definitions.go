package main

import (
	"os"
	"path/filepath"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// definitionFlags say where ping.histogram finds definitions. A job asks no
// server unless told to.
type definitionFlags struct {
	RevisionCache  string `name:"revision-cache" predictor:"folder" env:"TMSERVER_REVISION_CACHE" placeholder:"DIR" help:"Histogram definitions for ping.histogram (default: histogram_cache in the data folder)."`
	RevisionServer string `name:"revision-server" placeholder:"URL" help:"Mercurial server to ask for definitions that are not cached (default: none)."`
}

// folder returns the cache's folder, "" if there is none.
func (f *definitionFlags) folder(dataDir string) string {
	if f.RevisionCache != "" || dataDir == "" {
		return f.RevisionCache
	}
	dir := filepath.Join(dataDir, layout.RevisionCacheDir)
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return ""
	}
	return dir
}

// open returns the definitions, nil if there are none. The caller closes them.
func (f *definitionFlags) open(dataDir string) (*revisions.Cache, error) {
	o := revisions.DefaultOptions()
	if o.Dir = f.folder(dataDir); o.Dir == "" && f.RevisionServer == "" {
		return nil, nil
	}
	o.Server, o.Offline = f.RevisionServer, f.RevisionServer == ""
	c, err := revisions.NewCache(o)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}
	return c, nil
}

// args are the flags for a task's process.
func (f *definitionFlags) args(dataDir string) (args []string) {
	if dir := f.folder(dataDir); dir != "" {
		args = append(args, "--revision-cache", dir)
	}
	if f.RevisionServer != "" {
		args = append(args, "--revision-server", f.RevisionServer)
	}
	return args
}
