package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/intake"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// idleFlags say what a server does while no raw log waits.
type idleFlags struct {
	CompactEvery time.Duration `env:"TMSERVER_COMPACT_EVERY" default:"1h" zero:"never" help:"How often to look for partitions of past days to merge, when no raw log waits; 0 leaves it to tmserver compact."`
	CompactForm  string        `env:"TMSERVER_COMPACT_FORM" enum:"rows,columns" default:"columns" help:"What to make of them, as of \"tmserver compact --form\"."`
	Keep         string        `env:"TMSERVER_KEEP" placeholder:"DAYS" help:"Then also remove what was submitted longer ago, such as 180d. Default: keep everything."`
	Trash        time.Duration `env:"TMSERVER_TRASH" default:"168h" zero:"at once" help:"How long what --keep removes stays in state/trash, where \"tmserver trash\" finds it; 0 deletes it at once."`
	ForgetWithin time.Duration `env:"TMSERVER_FORGET_WITHIN" default:"168h" zero:"at once" help:"How long after a deletion request nothing is left of the client's data; 0 removes it at the next compaction. Jobs skip it from the request on."`
	Zstd         string        `env:"TMSERVER_ZSTD" default:"zstd" placeholder:"PROGRAM" help:"zstd program that compresses merged segments to five sixths of what they are without it; empty for none. A minute for 4 MiB is too long: then it is not used any more."`
}

func (f *idleFlags) validate() error {
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
		data:      s.folder.Data,
		compacted: s.days.Wake,
		every:     flags.CompactEvery,
		keepDays:  keepDays,
		columns:   flags.CompactForm == "columns",
		trash:     flags.Trash,
		within:    flags.ForgetWithin,
		zstd:      flags.Zstd,
		repeats:   s.c.PublishTo != "" && s.c.DropRepeats > 0,
		now:       s.st.Now,
		log:       s.st.Log,
	}
	return inBackground(context.WithoutCancel(ctx), compaction.run), nil
}

// idleCompaction is what a server does while no raw log waits.
type idleCompaction struct {
	data      *layout.Data
	compacted func() // after each compaction; may be nil
	every     time.Duration
	keepDays  int // 0: for ever
	columns   bool
	trash     time.Duration
	within    time.Duration // for deletion requests
	zstd      string
	repeats   bool // of other servers, which publish in the same object store, go
	now       func() time.Time
	log       *slog.Logger

	disbelieved bool // the clock, the last time
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

		err = c.compact(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, layout.ErrBusy) && c.data.Folder().Remote != nil:
			c.log.Info("another server compacts the object store", "err", err)
		default:
			c.log.Error("compaction stopped", "err", err)
		}
	}
}

func (c *idleCompaction) compact(ctx context.Context) error {
	place := upkeep.In(c.data)
	now := c.now().UTC()

	// What is removed need not be merged.
	if err := c.expire(ctx, place, now); err != nil {
		return err
	}

	// Today's partitions still grow.
	yesterday := string(schema.DateOf(now).AddDays(-1))
	past := schema.All().Where(schema.SubmissionDate, schema.Between(nil, &yesterday))
	past.IncludeQuarantined = true
	forgotten, err := c.data.Forgotten(ctx)
	if err != nil {
		return err
	}
	compacted, err := place.Compact(ctx, upkeep.CompactOptions{Filter: past, Grace: compactGrace, Now: now, Zstd: c.zstd, Log: c.log, Columns: c.columns, Forget: forgotten, DropRepeats: c.repeats})
	if compacted.Partitions > 0 {
		c.log.Info("compacted", "partitions", compacted.Partitions, "segments", compacted.Segments,
			"bytes_before", compacted.Before, "bytes_after", compacted.After, "repeats", compacted.Repeated)
	}
	if err != nil {
		return err
	}
	if err := c.forget(ctx, forgotten, now); err != nil {
		return err
	}

	// Each conversion adds a file of statistics, so there would be ever more of them.
	if _, err := statistics.Merge(ctx, c.data); err != nil {
		return err
	}

	// The explorer's days are made while nothing else is to be done.
	if c.compacted != nil {
		c.compacted()
	}
	return nil
}

// compactGrace is how long replaced segments stay for the jobs that still read them.
const compactGrace = 24 * time.Hour

// forget removes what is stored of the clients whose time is nearly over: what is replaced
// stays for the grace, and is removed by the first run after it. Clients that came long
// before share one rewriting of the segments that they are in.
func (c *idleCompaction) forget(ctx context.Context, forgotten *forget.Set, now time.Time) error {
	o := upkeep.ForgetOptions{All: forgotten, Grace: compactGrace, Now: now, Zstd: c.zstd, Log: c.log}
	wait := c.within - compactGrace - 2*c.every - time.Hour
	if wait < compactGrace {
		wait = max(0, c.within/2)
		o.Grace = min(compactGrace, c.within/4)
	}
	o.Due = forgotten.Before(now.Add(-wait))

	done, err := forgetNow(ctx, c.data, o)
	if done.Segments+done.submissions > 0 {
		c.log.Info("forgot clients", "clients", o.Due.Len(), "records", done.Records, "waiting", done.submissions, "files", done.Segments)
	}
	return err
}

// expire removes what is too old. That the clock is not believed is said once, until it
// is believed again.
func (c *idleCompaction) expire(ctx context.Context, place *upkeep.Place, now time.Time) error {
	expired, err := place.Expire(ctx, upkeep.ExpireOptions{Now: now, KeepDays: c.keepDays, Trash: c.trash})
	if leap, ok := errors.AsType[*upkeep.LeapError](err); ok {
		if !c.disbelieved {
			c.log.Error("retention stopped: is the clock right? If it is, run tmserver compact --keep --force", "err", leap)
		}
		c.disbelieved = true
		return nil
	}
	if err != nil {
		return err
	}

	if c.disbelieved {
		c.disbelieved = false
		c.log.Info("retention goes on: the clock is believed again")
	}
	if len(expired.Segments)+expired.Emptied > 0 {
		c.log.Info("expired", "segments", len(expired.Segments), "deleted_from_trash", expired.Emptied)
	}
	return nil
}
