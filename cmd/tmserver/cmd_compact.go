package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// compactCmd merges segments and removes old ones; it is made for cron.
type compactCmd struct {
	DataDir     string        `required:"" short:"d" placeholder:"DIR|URL" help:"Data folder, or the object store that segments are published to."`
	Keep        string        `placeholder:"DAYS" help:"First remove what was submitted longer ago, such as 180d. Default: keep everything."`
	Where       []string      `placeholder:"COND" sep:"none" help:"Merge only there: dim=v1,v2 or dim=lo..hi; repeatable. Does not narrow --keep."`
	Trash       time.Duration `default:"168h" zero:"at once" help:"How long what --keep removes stays in state/trash, where \"tmserver trash\" finds it; 0 deletes it at once."`
	Force       bool          `help:"Believe the clock, even if it disagrees with the last run and with the newest records."`
	Form        string        `enum:"rows,columns" default:"columns" help:"What to make: \"columns\", Parquet segments of a day, of which a job reads what it touches, or \"rows\", a segment of each partition. Segments in columns stay so."`
	Grace       time.Duration `default:"24h" zero:"at once" help:"How long replaced files stay for the jobs that still read them; 0 removes them at once."`
	Zstd        string        `default:"zstd" placeholder:"PROGRAM" help:"zstd program that compresses merged segments to five sixths of what they are without it; empty for none. A minute for 4 MiB is too long: then it is not used any more."`
	DropRepeats bool          `help:"Of records of a partition that are equal, with their ID, keep one: several servers publish in this object store."`
	DryRun      bool          `help:"Only print what would be done."`
}

func (*compactCmd) Help() string {
	return `Brings the records of each day into columns, or with --form rows the segments of
each partition into one, with the best compression, and removes what is older than
--keep. What is merged already stays as it is, so running it again does nothing. Jobs may run and servers may publish at the same time. The
statistics of conversions become one small database.

What --keep removes goes to the trash, state/trash, and is deleted when it has been
there for --trash. If the clock is more than two days from the last run, and fewer
than three of the last 14 days have records, nothing is removed: the clock may be
wrong. --force removes it all the same.

  tmserver compact --data-dir DATA --keep 180d --dry-run

EXIT STATUS: 0 done; 1 failed, or another compaction runs, or the clock is not
believed (the segments are merged nevertheless); 2 usage; 4 some segments are damaged: their partitions stay as they are ("tmserver check" lists all damage);
130 interrupted.`
}

func (c *compactCmd) Run(ctx context.Context, st *cli.State) error {
	keepDays, filter, err := c.validate()
	if err != nil {
		return err
	}

	place, err := openPlace(c.DataDir)
	if err != nil {
		return err
	}
	defer place.Close()

	// Remove first: what is removed need not be merged. A clock that is not believed
	// hinders merging in no way.
	now := st.Now()
	notBelieved := c.expire(ctx, st, place, keepDays, now)
	if _, leap := errors.AsType[*upkeep.LeapError](notBelieved); notBelieved != nil && !leap {
		return withBusyHint(notBelieved)
	}
	if err := c.merge(ctx, st, place, filter, now); err != nil {
		return errors.Join(withBusyHint(err), notBelieved)
	}

	// The statistics of conversions are in the data folder; an object store has none.
	if !c.DryRun && !layout.IsURL(c.DataDir) {
		if err := mergeStatistics(ctx, c.DataDir, st.Log); err != nil {
			return errors.Join(withBusyHint(err), notBelieved)
		}
	}

	if notBelieved != nil && !c.DryRun {
		return cli.WithHint(notBelieved, "if the clock is right, --force removes what is too old")
	}
	return nil
}

// validate checks the flags and returns the values of --keep and --where.
func (c *compactCmd) validate() (keepDays int, filter schema.Filter, err error) {
	keepDays, err = parseDays(c.Keep)
	if err != nil {
		return 0, filter, err
	}

	// The quarantine is compacted, too.
	filter = schema.All()
	filter.IncludeQuarantined = true
	for _, cond := range c.Where {
		condition, err := schema.ParseWhere(cond)
		if err != nil {
			return 0, filter, cli.Fail(cli.ExitUsage, err)
		}

		filter = filter.Where(condition.Dim, condition.Values)
	}

	return keepDays, filter, nil
}

// expire removes the segments that are older than so many days; 0: none. The error
// wraps a *upkeep.LeapError if the clock is not believed.
func (c *compactCmd) expire(ctx context.Context, st *cli.State, place *upkeep.Place, keepDays int, now time.Time) error {
	options := upkeep.ExpireOptions{Now: now, KeepDays: keepDays, Trash: c.Trash, Force: c.Force, DryRun: c.DryRun}
	expired, err := place.Expire(ctx, options)
	_, leap := errors.AsType[*upkeep.LeapError](err)
	if err != nil && !(leap && c.DryRun) {
		return err
	}
	if keepDays == 0 {
		return nil
	}

	bytes := int64(0)
	for _, segment := range expired.Segments {
		bytes += segment.Size
		if c.DryRun {
			fmt.Fprintln(st.Stdout, "would remove", segment.Path)
		}
	}

	verb := "removed"
	if c.DryRun {
		verb = "would remove"
	}
	before, _ := options.Before().Time() // which only a clock beyond the year 9999 makes an error
	fmt.Fprintf(st.Stdout, "%s %d segments, %s, submitted before %s\n",
		verb, len(expired.Segments), megabytes(bytes), before.Format(time.DateOnly))
	if expired.Emptied > 0 {
		fmt.Fprintf(st.Stdout, "deleted %d files of the trash\n", expired.Emptied)
	}
	if leap {
		fmt.Fprintf(st.Stdout, "but not without --force: %v\n", err)
	}
	return nil
}

// merge merges the segments that the filter selects. It prints what was done even
// if some partitions are damaged.
func (c *compactCmd) merge(ctx context.Context, st *cli.State, place *upkeep.Place, filter schema.Filter, now time.Time) error {
	forgotten, err := place.Forgotten(ctx)
	if err != nil {
		return err
	}
	stats, err := place.Compact(ctx, upkeep.CompactOptions{
		Filter: filter, Grace: c.Grace, Now: now, DryRun: c.DryRun, Zstd: c.Zstd, Log: st.Log, Columns: c.Form == "columns", Forget: forgotten, DropRepeats: c.DropRepeats,
	})
	switch {
	case c.DryRun:
		fmt.Fprintf(st.Stdout, "would merge %d segments, %s, in %d partitions\n", stats.Segments, megabytes(stats.Before), stats.Partitions)
	case stats.Partitions > 0 || err == nil:
		fmt.Fprintf(st.Stdout, "merged %d segments in %d partitions, %s to %s\n", stats.Segments, stats.Partitions, megabytes(stats.Before), megabytes(stats.After))
	}

	if stats.Repeated > 0 {
		fmt.Fprintf(st.Stdout, "left out %d repeats\n", stats.Repeated)
	}

	// A damaged segment stays, and so does its partition; the others are merged.
	if _, ok := errors.AsType[*layout.CorruptError](err); ok {
		return cli.WithHint(cli.Fail(cli.ExitCorrupt, err), "tmserver check --repair keeps what can be read")
	}
	return err
}

// mergeStatistics moves the statistics of conversions into their database.
func mergeStatistics(ctx context.Context, dir string, log *slog.Logger) (err error) {
	data, err := layout.OpenDataWith(dir, diskHook)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	data.LogTo(log)

	_, err = statistics.Merge(ctx, data)
	return err
}
