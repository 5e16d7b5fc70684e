package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/intake"
	"github.com/aitgithub/telemetry-server/ingest/worker"
)

// convertCmd converts raw logs, or lines.
type convertCmd struct {
	DataDir         string `short:"d" placeholder:"DIR" xor:"input" required:"" help:"Convert every raw log of this data folder that no live server holds."`
	Stdin           bool   `xor:"input" required:"" help:"Convert lines from stdin to stdout."`
	Date            string `placeholder:"YYYYMMDD" help:"With --stdin: submission date of the lines. Default: today, UTC."`
	Workers         int    `default:"1" help:"With --data-dir: raw logs converted at the same time."`
	dataFolderFlags `embed:""`
}

func (*convertCmd) Help() string {
	return `With --stdin, lines "id<TAB>json" become "id<TAB>reason/app/channel/version/build/date<TAB>json":
the dimensions as the ping has them, before the schema is applied. Bad lines, and
histograms that were left out, are reported to stderr as the predecessor did; one that
the filter of --filters drops as "line N: <id>: filtered: <reason>".

With --data-dir, bad submissions go to invalid/ with their reason; raw logs whose
definitions cannot be had now (the server is down, or --offline) are left for later.

EXIT STATUS: 0 done; 1 failed, or raw logs remain; 2 usage; 3 done, but some
submissions were invalid; 5 the filter does not load; 130 interrupted.`
}

func (c *convertCmd) Run(ctx context.Context, st *cli.State) error {
	if _, err := time.Parse("20060102", c.Date); c.Date != "" && err != nil {
		return cli.Usage("--date %q: want YYYYMMDD", c.Date)
	}
	if c.Workers < 1 {
		return cli.Usage("--workers %d: want at least 1", c.Workers)
	}
	if c.Stdin {
		return c.lines(ctx, st)
	}
	return c.rawLogs(ctx, st)
}

func (c *convertCmd) rawLogs(ctx context.Context, st *cli.State) (err error) {
	if _, err := os.Stat(c.DataDir); err != nil { // a mistyped name must not make a folder
		return cli.Fail(cli.ExitUsage, err)
	}
	folder, err := c.openDataFolder(ctx, st, c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if _, err := folder.filters.IngestFilter(); err != nil {
		return err
	}

	counts := &convertCounts{}
	raw := intake.NewRawFolder(folder.Root(), folder.newWorker(nil, counts), intake.RawFolderOptions{
		Workers: c.Workers,
		Log:     st.Log,
	})
	if err := raw.Drain(ctx); err != nil {
		return err
	}
	total := counts.total
	bad := total.AllQuarantined()
	fmt.Fprintf(st.Stderr, "converted %d raw logs: %d submissions, %d records, %d invalid, %d waiting\n", counts.logs, total.Submissions, total.Records, bad, total.Waiting)
	reportRest(st, total)
	if total.BytesLost > 0 {
		fmt.Fprintf(st.Stderr, "  bytes lost to damage %d\n", total.BytesLost)
	}
	switch {
	case total.Waiting > 0:
		return stillWaiting(total.Waiting)
	case bad > 0:
		return rejected(bad, "submissions")
	}
	return nil
}

// convertCounts adds up what became of raw logs, as worker.Reporter.
type convertCounts struct {
	mu    sync.Mutex // protects what follows
	logs  int
	total worker.Stats
}

func (c *convertCounts) Converted(_ string, s worker.Stats, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logs++
	c.total.Add(s)
}

// reportRest says what became of the submissions that are not among the records.
func reportRest(st *cli.State, s worker.Stats) {
	for _, class := range slices.Sorted(maps.Keys(s.Quarantined)) {
		fmt.Fprintf(st.Stderr, "  %s %d\n", class, s.Quarantined[class])
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Filtered)) {
		fmt.Fprintf(st.Stderr, "  filtered %s %d\n", reason, s.Filtered[reason])
	}
	if s.Repeated > 0 {
		fmt.Fprintf(st.Stderr, "  repeated %d\n", s.Repeated)
	}
}

// stillWaiting is the error of a command that is done but for n submissions,
// which went to a raw log of the data folder.
func stillWaiting(n int64) error {
	return cli.WithHint(fmt.Errorf("%d submissions wait for their histogram definitions", n),
		"run tmserver convert when the revision server is back")
}

// rejected is the error of a command that is done but for bad input.
func rejected(n int64, of string) error {
	return cli.Fail(cli.ExitRejected, fmt.Errorf("%d %s were rejected", n, of))
}
