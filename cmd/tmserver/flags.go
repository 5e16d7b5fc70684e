package main

import (
	"net/url"
	"path/filepath"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// revisionFlags say where histogram definitions come from; every command that
// converts embeds them.
type revisionFlags struct {
	RevisionCache  string `env:"TMSERVER_REVISION_CACHE" placeholder:"DIR" help:"Folder of cached definitions, <repo>/<revision>/Histograms.json. Default: histogram_cache in the data folder."`
	RevisionServer string `env:"TMSERVER_REVISION_SERVER" default:"https://hg.mozilla.org" placeholder:"URL" help:"Mercurial server to ask for definitions."`
	Offline        bool   `env:"TMSERVER_OFFLINE" help:"Never ask a server; use cached definitions only."`
}

// open returns the cache; dataDir is the data folder, or "". The caller closes it.
func (f *revisionFlags) open(st *cli.State, dataDir string) (*revisions.Cache, error) {
	o := revisions.DefaultOptions()
	o.Dir, o.Server, o.Offline, o.Log = f.RevisionCache, f.RevisionServer, f.Offline, st.Log
	if o.Dir == "" && dataDir != "" {
		o.Dir = filepath.Join(dataDir, layout.RevisionCacheDir)
	}
	c, err := revisions.NewCache(o)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}
	return c, nil
}

// converterOptions returns the options of every Converter of the command.
func (f *revisionFlags) converterOptions(schema *layout.Schema) ingest.ConverterOptions {
	o := ingest.DefaultConverterOptions()
	o.Schema = schema
	if u, err := url.Parse(f.RevisionServer); err == nil && u.Host != "" {
		o.RevisionHosts = append(o.RevisionHosts, u.Host)
	}
	return o
}
