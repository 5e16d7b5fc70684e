package main

import (
	"os"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/revisions"
)

// revisionsCmd works on a revision cache: the histogram definitions that were
// fetched, and the index of when definitions changed.
type revisionsCmd struct {
	DataDir         string `short:"d" placeholder:"DIR" help:"Data folder; its histogram_cache is the cache, unless --revision-cache names another."`
	definitionFlags `embed:""`

	makes bool // the command makes the cache if it is missing

	Sync   revisionsSyncCmd   `cmd:"" help:"Ask the server when definitions changed, and store that as an index."`
	Ls     revisionsLsCmd     `cmd:"" help:"List the revisions that the index or the cache has."`
	Diff   revisionsDiffCmd   `cmd:"" help:"Show how a histogram's definition differs between two revisions."`
	Export revisionsExportCmd `cmd:"" help:"Write cache and index as one file."`
	Import revisionsImportCmd `cmd:"" help:"Add a file that export wrote to the cache."`
}

// cache opens the cache; the caller closes it.
func (c *revisionsCmd) cache(st *cli.State) (*revisions.Cache, error) {
	if c.DataDir == "" && c.RevisionCache == "" {
		return nil, cli.Usage("one of --data-dir and --revision-cache is needed")
	}

	// A mistyped name must not become an empty cache.
	for _, dir := range []string{c.DataDir, c.RevisionCache} {
		if _, err := os.Stat(dir); dir != "" && !c.makes && err != nil {
			return nil, cli.Named(err)
		}
	}
	return c.open(st, c.DataDir)
}
