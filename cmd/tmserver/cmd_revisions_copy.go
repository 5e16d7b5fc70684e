package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/revisions"
)

// revisionsExportCmd writes a cache as a file, for a machine without network.
type revisionsExportCmd struct {
	File string `arg:"" optional:"" default:"-" help:"Where to; - for stdout."`
}

func (*revisionsExportCmd) Help() string {
	return `Writes a gzipped tar, the same for the same cache. "sync --fetch" before it adds all
definitions to the cache. On a machine without network, "import" the file, and run
serve and convert with --offline.

EXIT STATUS: 0 done; 1 failed; 2 usage.`
}

func (c *revisionsExportCmd) Run(_ context.Context, st *cli.State, parent *revisionsCmd) error {
	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()

	// A file gets its name when it is whole and on the disk.
	out, err := cli.OpenOutput(c.File, st.Stdout)
	if err != nil {
		return err
	}
	defer out.Discard()
	exported, err := cache.Export(out)
	if err == nil {
		err = out.Commit()
	}
	if err != nil {
		return err
	}

	fmt.Fprintf(st.Stderr, "exported the index and the definitions of %d revisions\n", exported)
	return nil
}

// revisionsImportCmd adds an exported cache to this one.
type revisionsImportCmd struct {
	File string `arg:"" optional:"" default:"-" help:"Where from; - for stdin."`
}

func (*revisionsImportCmd) Help() string {
	return `Adds the definitions to the cache. If both indexes have a repository, the longer
history stays.

EXIT STATUS: 0 done; 1 failed; 2 usage; 4 the file is damaged, or export did not
write it (what comes before the damage is imported).`
}

func (c *revisionsImportCmd) Run(_ context.Context, st *cli.State, parent *revisionsCmd) error {
	parent.makes = true
	parent.Offline = false // NewCache does not make the folder of an offline cache
	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()

	in := st.Stdin
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return cli.Named(err)
		}
		defer file.Close()

		in = file
	}

	// Import verifies each file of the archive before it adds it.
	imported, err := cache.Import(bufio.NewReader(in))
	if errors.Is(err, revisions.ErrBadArchive) {
		return cli.Fail(cli.ExitCorrupt, err)
	}
	if err != nil {
		return err
	}

	fmt.Fprintf(st.Stderr, "imported the definitions of %d revisions\n", imported)
	return nil
}
