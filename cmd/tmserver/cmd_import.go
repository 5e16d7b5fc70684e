package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
)

// importCmd converts raw logs from elsewhere, the predecessor's too, or copies the
// records of a partition tree.
type importCmd struct {
	Files           []string `arg:"" optional:"" name:"file" type:"existingfile" help:"Raw logs of version 1, 2 or 3; of version 0 with --raw-version 0."`
	DataDir         string   `required:"" short:"d" placeholder:"DIR" help:"Data folder; made if missing."`
	Tree            string   `placeholder:"DIR|URL" help:"Import the records of a partition tree, the predecessor's or a data folder's, into the partitions of this folder's schema."`
	MaxBody         int      `default:"0" placeholder:"BYTES" help:"Longest body; a longer one is damage. Default: 204800 for versions 0 to 2, which have no checksums."`
	rawVersionFlags `embed:""`

	countryFlags    `embed:""`
	dataFolderFlags `embed:""`
}

func (*importCmd) Help() string {
	return `Converts and publishes each raw log as a whole, or not at all, and does not change
it. What becomes of a file depends on its content, not on its name, so importing it
again replaces its records and doubles none.

Submissions that cannot be converted go to the quarantine, invalid/. Damage in a raw
log is passed over: reading goes on at the next plausible entry, and the bytes lost
are reported.

Submissions whose histogram definitions are not available now (the server is down,
or --offline) go to a raw log in the data folder, for "tmserver convert"; if the same
file is imported again after that, its submissions count as repeated. If all of them
would have to wait, the file is not imported.

With --tree, imports the segments of a partition tree: .log, .gz, .xz, .lzma, .zst. A
damaged file is left out and named; lines that are no record go to invalid/.

EXIT STATUS: 0 done; 1 failed (the files after it are not imported), or submissions
wait; 2 usage, or a file that is no raw log; 3 done, but submissions were rejected or
bytes were lost; 4 files of the tree are damaged; 5 the filter does not load; 130
interrupted.`
}

func (c *importCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if err := c.validate(); err != nil {
		return err
	}
	folder, err := c.openDataFolder(ctx, st, c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()

	if c.Tree != "" {
		return c.importTree(ctx, st, folder.Data)
	}
	return c.importFiles(ctx, st, folder)
}

func (c *importCmd) validate() error {
	if err := c.rawVersionFlags.validate(); err != nil {
		return err
	}
	switch {
	case c.MaxBody < 0 || c.MaxBody > rawlog.MaxBodyLimit:
		return cli.Usage("--max-body %d: want 1 to %d", c.MaxBody, rawlog.MaxBodyLimit)
	case (c.Tree != "") == (len(c.Files) > 0):
		return cli.Usage("want either files or --tree")
	case c.Tree != "" && c.Filters != "":
		return cli.Usage("--filters decides about submissions; what --tree takes over has been published")
	}
	return nil
}

// importFiles imports all files, up to the first that fails.
func (c *importCmd) importFiles(ctx context.Context, st *cli.State, folder *dataFolder) error {
	// The country comes from the client's address, which a raw log may have.
	countries, err := c.openCountries()
	if err != nil {
		return err
	}
	if countries != nil {
		defer countries.Close()
	}
	folder.options.Countries = countries

	// A filter that does not load ends the command before any file is read.
	converter := folder.newWorker(nil, nil)
	if _, err := converter.Conversion(); err != nil {
		return err
	}

	// Each file is published on its own, so what was imported before an error stays.
	var total worker.Stats
	for _, name := range c.Files {
		stats, err := c.importFile(ctx, st, converter, name)
		if err == nil {
			err = converter.ConvertParts(ctx, &stats)
		}
		if err != nil {
			return withVersionHint(err)
		}

		reportImport(st, name, stats)
		total.Add(stats)
	}

	// The error gives the exit code.
	if total.Waiting > 0 {
		return waitingError(total.Waiting)
	}

	if rejected := total.AllQuarantined(); rejected > 0 || total.BytesLost > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("%d submissions were rejected, %d bytes lost", rejected, total.BytesLost))
	}
	return nil
}

// importFile imports one file.
func (c *importCmd) importFile(ctx context.Context, st *cli.State, converter *worker.Worker, name string) (worker.Stats, error) {
	file, err := os.Open(name)
	if err != nil {
		return worker.Stats{}, err
	}
	defer file.Close()

	info, err := file.Stat()
	if err != nil {
		return worker.Stats{}, err
	}

	bar := newByteBar(st, info.Size()*2, filepath.Base(name)) // ImportFile reads it twice
	defer bar.Close()
	return converter.ImportFile(ctx, worker.File{
		Content: shownFile{file, io.TeeReader(file, bar)},
		Name:    filepath.Base(name),
		Version: c.RawVersion,
		MaxBody: c.MaxBody,
	})
}

// shownFile is a file whose reads a progress bar shows.
type shownFile struct {
	io.Seeker
	io.Reader
}

// reportImport prints what became of a file.
func reportImport(st *cli.State, name string, stats worker.Stats) {
	fmt.Fprintf(st.Stderr, "%s: %d submissions, %d records, %d invalid, %d bytes lost\n",
		name, stats.Submissions, stats.Records, stats.AllQuarantined(), stats.BytesLost)
	reportNotPublished(st, stats)
	if stats.Waiting > 0 {
		fmt.Fprintf(st.Stderr, "  waiting %d\n", stats.Waiting)
	}
}
