package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/intake"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// idleFlags say what a server does while no raw log waits.
type idleFlags struct {
	CompactEvery time.Duration `env:"TMSERVER_COMPACT_EVERY" default:"1h" help:"How often to look for partitions of past days to merge, when no raw log waits; 0 leaves it to tmserver compact."`
	Keep         string        `env:"TMSERVER_KEEP" placeholder:"DAYS" help:"Then also remove what was submitted longer ago, such as 180d. Default: keep everything."`
}

func (f *idleFlags) validate() error {
	if f.CompactEvery < 0 {
		return cli.Usage("--compact-every %v: cannot be negative", f.CompactEvery)
	}
	_, err := parseDays(f.Keep)
	return err
}

// buildCompaction compacts and expires while no raw log waits.
func (s *serving) buildCompaction(ctx context.Context) (part, error) {
	flags := &s.c.idleFlags
	if flags.CompactEvery == 0 {
		return part{}, nil
	}
	keepDays, err := parseDays(flags.Keep)
	if err != nil {
		return part{}, err
	}

	compaction := &idleCompaction{
		data:     s.folder.Data,
		every:    flags.CompactEvery,
		keepDays: keepDays,
		now:      s.st.Now,
		log:      s.st.Log,
	}
	return inBackground(context.WithoutCancel(ctx), compaction.run), nil
}

// idleCompaction is what a server does while no raw log waits.
type idleCompaction struct {
	data     *layout.Data
	every    time.Duration
	keepDays int // 0: for ever
	now      func() time.Time
	log      *slog.Logger
}

// run compacts and expires from time to time, until ctx ends.
func (c *idleCompaction) run(ctx context.Context) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}

		// Conversion comes first: both need the processor and the disk.
		waiting, err := intake.WaitingLogs(c.data.Root())
		if err != nil || len(waiting) > 0 {
			continue
		}

		if err := c.compact(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("compaction stopped", "err", err)
		}
	}
}

func (c *idleCompaction) compact(ctx context.Context) error {
	place := upkeep.In(c.data)
	now := c.now().UTC()

	// What is removed need not be merged.
	if c.keepDays > 0 {
		expired, err := place.Expire(ctx, now.AddDate(0, 0, -c.keepDays), false)
		if err != nil {
			return err
		}
		if len(expired) > 0 {
			c.log.Info("expired", "segments", len(expired))
		}
	}

	// Today's partitions still grow.
	yesterday := string(schema.DateOf(now).AddDays(-1))
	past := schema.All().Where(schema.SubmissionDate, schema.Between(nil, &yesterday))
	past.IncludeQuarantined = true
	compacted, err := place.Compact(ctx, upkeep.CompactOptions{Filter: past, Grace: 24 * time.Hour, Now: now})
	if compacted.Partitions > 0 {
		c.log.Info("compacted", "partitions", compacted.Partitions, "segments", compacted.Segments,
			"bytes_before", compacted.Before, "bytes_after", compacted.After)
	}
	if err != nil {
		return err
	}

	// Each conversion adds a file of statistics, so there would be ever more of them.
	_, err = statistics.Merge(ctx, c.data)
	return err
}
