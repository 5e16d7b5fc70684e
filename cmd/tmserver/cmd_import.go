package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// importCmd converts raw logs that lie anywhere, the predecessor's too.
type importCmd struct {
	Files      []string `arg:"" optional:"" name:"file" type:"existingfile" help:"Raw logs of version 1, 2 or 3; of version 0 with --raw-version 0."`
	DataDir    string   `required:"" short:"d" placeholder:"DIR" help:"Data folder; made if missing."`
	RawVersion int      `default:"-1" placeholder:"N" help:"Version of the files, 0 to 3. Default: from the name, else from the content; 0 is never guessed."`
	Tree       string   `placeholder:"DIR|URL" help:"Take over the records of a partition tree, the predecessor's or a data folder's; they lie where this folder's schema puts them."`
	MaxBody    int      `default:"0" placeholder:"BYTES" help:"Longest body that is not taken for damage. Default: 204800 for versions 0 to 2, which have no sums."`

	countryFlags    `embed:""`
	dataFolderFlags `embed:""`
}

func (*importCmd) Help() string {
	return `Converts and publishes each file as a whole, or not at all, and leaves it where it
is. What a file becomes depends on its content, so importing it again, under
whatever name, replaces its records and doubles none.

Submissions whose histogram definitions cannot be had now (the server is down, or
--offline) go to a raw log in the data folder, for "tmserver convert"; the same file
imported again then counts as repeated. If all of them would, the file is not imported.

With --tree, the segments of a partition tree instead: .log, .gz, .xz, .lzma, .zst. A
damaged file is left out and named; lines that are no record go to invalid/.

Damage in a raw log is passed over: reading goes on at the next plausible entry, and the bytes
lost are reported. Submissions that cannot be converted go to invalid/.

EXIT STATUS: 0 done; 1 failed (the files after are not imported), or submissions
wait; 2 usage, or a file
that is no raw log; 3 done, but submissions were invalid or bytes were lost;
4 files of the tree are damaged; 5 the filter does not load; 130 interrupted.`
}

func (c *importCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if c.RawVersion < rawlog.VersionAuto || c.RawVersion > rawlog.Version {
		return cli.Usage("--raw-version %d: want 0 to %d", c.RawVersion, rawlog.Version)
	}
	if c.MaxBody < 0 || c.MaxBody > rawlog.MaxBodyLimit {
		return cli.Usage("--max-body %d: want 1 to %d", c.MaxBody, rawlog.MaxBodyLimit)
	}
	if (c.Tree != "") == (len(c.Files) > 0) {
		return cli.Usage("want either files or --tree")
	}
	if c.Tree != "" && c.Filters != "" {
		return cli.Usage("--filters decides about submissions; what --tree takes over has been published")
	}
	folder, err := c.openDataFolder(ctx, st, c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if c.Tree != "" {
		return c.importTree(ctx, st, folder.Data)
	}
	countries, err := c.openCountries()
	if err != nil {
		return err
	}
	if countries != nil {
		defer countries.Close()
	}
	folder.options.Countries = countries
	w := folder.newWorker(nil, nil)
	if _, err := w.Conversion(); err != nil { // before any file is read
		return err
	}
	var total worker.Stats
	for _, name := range c.Files {
		s, err := c.file(ctx, st, w, name)
		if errors.Is(err, rawlog.ErrVersion) {
			return cli.WithHint(cli.Fail(cli.ExitUsage, err), "--raw-version states the version of files that do not")
		}
		if err != nil {
			return err
		}
		report(st, name, s)
		total.Add(s)
	}
	if total.Waiting > 0 {
		return stillWaiting(total.Waiting)
	}
	if bad := total.AllQuarantined(); bad > 0 || total.BytesLost > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("%d submissions were rejected, %d bytes lost", bad, total.BytesLost))
	}
	return nil
}

// importTree takes over a partition tree.
func (c *importCmd) importTree(ctx context.Context, st *cli.State, data *layout.Data) error {
	from, err := os.Stat(c.Tree)
	if err != nil && !layout.IsURL(c.Tree) {
		return cli.Fail(cli.ExitUsage, err)
	}
	for _, own := range []string{".", layout.PublishedDir} {
		if fi, err := data.Root().Stat(own); err == nil && from != nil && os.SameFile(fi, from) {
			return cli.Usage("--tree %s: is the data folder itself", c.Tree)
		}
	}
	tree, err := layout.OpenTree(c.Tree)
	if err != nil {
		return err
	}
	defer tree.Close()
	tree.SetLog(st.Log)
	segs, err := tree.Segments(ctx, schema.All())
	if err != nil {
		return err
	}
	size := int64(0)
	for _, s := range segs {
		size += s.Size
	}
	bar := progressBar(st, size, filepath.Base(c.Tree))
	s, err := upkeep.ImportTree(ctx, data, tree, schema.All(), func(s layout.Segment) { bar.Add64(s.Size) })
	bar.Close()
	fmt.Fprintf(st.Stderr, "%s: %d files, %d records, %d bad lines\n", c.Tree, s.Files, s.Records, s.BadLines)
	if _, ok := errors.AsType[*layout.CorruptError](err); ok {
		return cli.Fail(cli.ExitCorrupt, err)
	}
	if err == nil && s.BadLines > 0 {
		err = cli.Fail(cli.ExitRejected, fmt.Errorf("%d lines were rejected", s.BadLines))
	}
	return err
}

// file imports one file.
func (c *importCmd) file(ctx context.Context, st *cli.State, w *worker.Worker, name string) (worker.Stats, error) {
	f, err := os.Open(name)
	if err != nil {
		return worker.Stats{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return worker.Stats{}, err
	}

	bar := progressBar(st, info.Size()*2, filepath.Base(name)) // it is read twice
	defer bar.Close()
	return w.ImportFile(ctx, worker.File{
		Content: shownFile{f, io.TeeReader(f, bar)},
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

// report says what became of a file.
func report(st *cli.State, name string, s worker.Stats) {
	fmt.Fprintf(st.Stderr, "%s: %d submissions, %d records, %d invalid, %d bytes lost\n",
		name, s.Submissions, s.Records, s.AllQuarantined(), s.BytesLost)
	reportRest(st, s)
	if s.Waiting > 0 {
		fmt.Fprintf(st.Stderr, "  waiting %d\n", s.Waiting)
	}
}

// progressBar shows on a terminal how many of n bytes are done; elsewhere nothing.
func progressBar(st *cli.State, n int64, what string) *progressbar.ProgressBar {
	visible := false
	if f, ok := st.Stderr.(*os.File); ok {
		visible = term.IsTerminal(int(f.Fd()))
	}
	return progressbar.NewOptions64(n,
		progressbar.OptionSetWriter(st.Stderr), progressbar.OptionSetVisibility(visible),
		progressbar.OptionSetDescription(what), progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish())
}
