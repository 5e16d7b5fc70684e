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
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// convertCmd converts raw logs, or lines from stdin.
type convertCmd struct {
	DataDir         string `short:"d" placeholder:"DIR" xor:"input" required:"" help:"Convert every raw log of this data folder that no live server holds."`
	Stdin           bool   `xor:"input" required:"" help:"Convert lines from stdin to stdout."`
	Date            string `placeholder:"YYYYMMDD" help:"With --stdin: submission date of the lines. Default: today, UTC."`
	EchoRejected    bool   `help:"With --stdin: also print the ping of each rejected line to stderr."`
	Workers         int    `default:"1" help:"With --data-dir: raw logs converted at the same time."`
	dataFolderFlags `embed:""`
}

func (*convertCmd) Help() string {
	return `With --stdin, lines "id<TAB>json" become "id<TAB>reason/app/channel/version/build/date<TAB>json".
The dimensions are as the ping has them, before the schema is applied. Stderr gets

  line N: <id>: <class>: <message>      for each line that is rejected
  line N: <id>: filtered: <reason>      for each that the filter of --filters drops

then the histograms that were left out of records, and the time it took.

With --data-dir, rejected submissions go to the quarantine, invalid/, with class and
message. A raw log whose definitions are not available now (the server is down, or
--offline) stays for later.

Of a raw log that is damaged, what can be read is published, and the file is kept in
state/damaged/raw. A file in raw/ that is no raw log stays there.

EXIT STATUS: 0 done; 1 failed, or raw logs remain; 2 usage; 3 done, but something
was rejected, or a file in raw/ is no raw log; 4 a raw log was damaged, or the index of
definitions is; 5 the filter does not load; 130 interrupted.`
}

func (c *convertCmd) Run(ctx context.Context, st *cli.State) error {
	if c.Workers < 1 {
		return cli.Usage("--workers %d: want at least 1", c.Workers)
	}
	if _, err := schema.ParseDate(c.Date); c.Date != "" && err != nil {
		return cli.Usage("--date %q: want YYYYMMDD", c.Date)
	}

	if c.Stdin {
		return c.convertLines(ctx, st)
	}
	return c.convertRawLogs(ctx, st)
}

func (c *convertCmd) convertRawLogs(ctx context.Context, st *cli.State) (err error) {
	// Opening makes the folder, which a mistyped name must not do.
	if _, err := os.Stat(c.DataDir); err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}

	folder, err := c.openDataFolder(ctx, st, c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()

	// A filter that does not load ends the command before any raw log is tried.
	if _, err := folder.filters.IngestFilter(); err != nil {
		return err
	}

	counts := &convertCounts{}
	raw := intake.NewRawFolder(folder.Root(), folder.newWorker(nil, counts), intake.RawFolderOptions{
		Workers: c.Workers,
		Log:     st.Log,
	})
	err = raw.Drain(ctx)
	reported := counts.report(st)
	if err != nil {
		return withStrangerCode(err)
	}
	return reported
}

// withStrangerCode gives the error of files in raw/ that are no raw logs its exit code,
// and changes no other error, nor one with others.
func withStrangerCode(err error) error {
	if err == nil || !onlyStrangers(err) {
		return err
	}
	return cli.Fail(cli.ExitRejected, err)
}

// onlyStrangers says whether all joined errors are about files that are no raw logs.
func onlyStrangers(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return errors.Is(err, worker.ErrNoRawLog)
	}
	for _, one := range joined.Unwrap() {
		if !onlyStrangers(one) {
			return false
		}
	}
	return true
}

// convertCounts adds up what became of raw logs, as worker.Reporter.
type convertCounts struct {
	mu    sync.Mutex // protects what follows
	logs  int
	total worker.Stats
}

// Converted implements worker.Reporter.
func (c *convertCounts) Converted(_ string, stats worker.Stats, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.logs++
	c.total.Add(stats)
}

// report prints the sums. The error says that submissions wait or were rejected.
func (c *convertCounts) report(st *cli.State) error {
	total := c.total
	rejected := total.AllQuarantined()
	fmt.Fprintf(st.Stderr, "converted %d raw logs: %d submissions, %d records, %d invalid, %d waiting\n",
		c.logs, total.Submissions, total.Records, rejected, total.Waiting)
	reportNotPublished(st, total)
	if total.BytesLost > 0 {
		fmt.Fprintf(st.Stderr, "  bytes lost to damage %d\n", total.BytesLost)
	}
	for _, kept := range total.Kept {
		fmt.Fprintf(st.Stderr, "  damaged, and kept: %s\n", cli.Printable(kept))
	}

	// Waiting comes before rejected: it needs another run of the command.
	if total.Waiting > 0 {
		return waitingError(total.Waiting)
	}
	if len(total.Kept) > 0 {
		return cli.Fail(cli.ExitCorrupt, fmt.Errorf("%d raw logs were damaged, %d bytes lost", len(total.Kept), total.BytesLost))
	}
	if rejected > 0 {
		return rejectedError(rejected, "submissions")
	}
	return nil
}

// reportNotPublished prints how many submissions became no record, by cause.
func reportNotPublished(st *cli.State, stats worker.Stats) {
	for _, class := range slices.Sorted(maps.Keys(stats.Quarantined)) {
		fmt.Fprintf(st.Stderr, "  %s %d\n", class, stats.Quarantined[class])
	}
	for _, reason := range slices.Sorted(maps.Keys(stats.Filtered)) {
		fmt.Fprintf(st.Stderr, "  filtered %s %d\n", cli.Printable(reason), stats.Filtered[reason])
	}
	if stats.Forgotten > 0 {
		fmt.Fprintf(st.Stderr, "  forgotten %d: of clients that asked for it\n", stats.Forgotten)
	}
	if stats.Repeated > 0 {
		fmt.Fprintf(st.Stderr, "  repeated %d\n", stats.Repeated)
	}
	if stats.Conflicts > 0 {
		fmt.Fprintf(st.Stderr, "  conflicts %d: another body under the same document ID\n", stats.Conflicts)
	}
}

// waitingError is the error of a command that is done but for n submissions,
// which are in a raw log of the data folder now.
func waitingError(n int64) error {
	return cli.WithHint(fmt.Errorf("%d submissions wait for their histogram definitions", n),
		"run tmserver convert when the revision server is back")
}

// rejectedError is the error of a command that is done but for rejected input.
func rejectedError(n int64, of string) error {
	return cli.Fail(cli.ExitRejected, fmt.Errorf("%d %s were rejected", n, of))
}
