package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// compactCmd merges segments and enforces retention; it is made for cron.
type compactCmd struct {
	DataDir string        `required:"" short:"d" placeholder:"DIR|URL" help:"Data folder, or the object store that segments are published to."`
	Keep    string        `placeholder:"DAYS" help:"First remove what was submitted longer ago, such as 180d. Default: keep everything."`
	Where   []string      `placeholder:"COND" sep:"none" help:"Merge only there: dim=v1,v2 or dim=lo..hi; repeatable. Does not narrow --keep."`
	Grace   time.Duration `default:"24h" help:"How long replaced files stay for the jobs that still read them."`
	DryRun  bool          `help:"Only say what would be done."`
}

func (*compactCmd) Help() string {
	return `Merges the segments of each partition into one, compressed as well as can be,
and removes what is past its retention. What is merged already is left alone, so
running it again does nothing. Jobs may run and servers may publish meanwhile.
The statistics of conversions move from one file per raw log into one for all.

  tmserver compact --data-dir DATA --keep 180d --dry-run

EXIT STATUS: 0 done; 1 failed, or another one runs; 2 usage; 4 some segments are
damaged: their partitions stay as they are ("tmserver check" has the rest).`
}

func (c *compactCmd) Run(ctx context.Context, st *cli.State) error {
	keep, err := parseDays(c.Keep)
	if err != nil {
		return err
	}
	filter := schema.All()
	filter.IncludeInvalid = true
	for _, cond := range c.Where {
		dim, v, err := schema.ParseWhere(cond)
		if err != nil {
			return cli.Fail(cli.ExitUsage, err)
		}
		filter = filter.Where(dim, v)
	}
	if c.Grace < 0 {
		return cli.Usage("--grace %v: cannot be negative", c.Grace)
	}
	place, err := openPlace(c.DataDir)
	if err != nil {
		return err
	}
	defer place.Close()
	now := st.Now()
	if keep > 0 {
		before := now.UTC().AddDate(0, 0, -keep)
		gone, err := place.Expire(ctx, before, c.DryRun)
		if err != nil {
			return busy(err)
		}
		bytes := int64(0)
		for _, s := range gone {
			bytes += s.Size
			if c.DryRun {
				fmt.Fprintln(st.Stdout, "would remove", s.Path)
			}
		}
		fmt.Fprintf(st.Stdout, "%s %d segments, %s, submitted before %s\n",
			did(c.DryRun, "removed", "would remove"), len(gone), megabytes(bytes), before.Format("2006-01-02"))
	}
	s, err := place.Compact(ctx, upkeep.CompactOptions{Filter: filter, Grace: c.Grace, Now: now, DryRun: c.DryRun})
	switch {
	case c.DryRun:
		fmt.Fprintf(st.Stdout, "would merge %d segments, %s, in %d partitions\n", s.Segments, megabytes(s.Before), s.Partitions)
	case s.Partitions > 0 || err == nil:
		fmt.Fprintf(st.Stdout, "merged %d segments in %d partitions, %s to %s\n", s.Segments, s.Partitions, megabytes(s.Before), megabytes(s.After))
	}
	if _, ok := errors.AsType[*layout.CorruptError](err); ok {
		return cli.WithHint(cli.Fail(cli.ExitCorrupt, err), "tmserver check --repair keeps what can be read")
	}
	if err == nil && !c.DryRun && !layout.IsURL(c.DataDir) {
		err = mergeStatistics(ctx, c.DataDir)
	}
	return busy(err)
}

// mergeStatistics moves the statistics of conversions into their database.
func mergeStatistics(ctx context.Context, dir string) (err error) {
	data, err := layout.OpenData(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	_, err = statistics.Merge(ctx, data)
	return err
}

// openPlace opens a data folder, which must be one already, or an object store.
func openPlace(name string) (*upkeep.Place, error) {
	if !layout.IsURL(name) {
		if err := existing(name); err != nil {
			return nil, err
		}
	}
	return upkeep.Open(name)
}

// existing refuses what is no data folder: a mistyped name should not become an
// empty one.
func existing(dir string) error {
	tree, err := layout.OpenTree(dir)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}
	defer tree.Close()
	if !tree.IsData() {
		return cli.WithHint(cli.Usage("%s: not a data folder", dir), "it has no published/ inside; tmserver import --tree reads other trees")
	}
	return nil
}

// busy adds what to do to an error that says that another process is at it.
func busy(err error) error {
	if errors.Is(err, layout.ErrBusy) {
		return cli.WithHint(err, "another compaction or repair is at work; try again when it has ended")
	}
	return err
}

// parseDays reads "180d" (or "180"); "" is 0.
func parseDays(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
	if err != nil || n < 1 {
		return 0, cli.Usage("--keep %s: want a number of days, such as 180d", s)
	}
	return n, nil
}

func did(dry bool, done, would string) string {
	if dry {
		return would
	}
	return done
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
