package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/worker"
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

// compactWhenIdle merges and expires until ctx ends.
func (f *idleFlags) compactWhenIdle(ctx context.Context, data *layout.Data, now func() time.Time, log *slog.Logger) {
	if f.CompactEvery == 0 {
		return
	}
	keep, _ := parseDays(f.Keep)
	tick := time.NewTicker(f.CompactEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if names, err := worker.WaitingLogs(data.Root()); err != nil || len(names) > 0 {
			continue
		}
		if err := f.compact(ctx, data, now(), keep, log); err != nil && ctx.Err() == nil {
			log.Error("compaction stopped", "err", err)
		}
	}
}

func (f *idleFlags) compact(ctx context.Context, data *layout.Data, now time.Time, keep int, log *slog.Logger) error {
	place := upkeep.In(data)
	if keep > 0 {
		gone, err := place.Expire(ctx, now.UTC().AddDate(0, 0, -keep), false)
		if err != nil {
			return err
		}
		if len(gone) > 0 {
			log.Info("expired", "segments", len(gone))
		}
	}
	// Today's partitions still grow.
	yesterday := now.UTC().AddDate(0, 0, -1).Format("20060102")
	past := schema.All().Where(schema.SubmissionDate, schema.Between(nil, &yesterday))
	past.IncludeInvalid = true
	s, err := place.Compact(ctx, upkeep.CompactOptions{Filter: past, Grace: 24 * time.Hour, Now: now})
	if s.Partitions > 0 {
		log.Info("compacted", "partitions", s.Partitions, "segments", s.Segments, "bytes_before", s.Before, "bytes_after", s.After)
	}
	if err != nil {
		return err
	}
	_, err = worker.MergeStats(ctx, data, now.UTC().Truncate(24*time.Hour))
	return err
}
