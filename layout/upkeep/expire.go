package upkeep

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// expireBatch is how many segments one commit moves to the trash.
const expireBatch = 1000

// ExpireOptions say what Expire removes.
type ExpireOptions struct {
	Now time.Time
	// KeepDays is how many days back from Now submissions stay; 0: for ever.
	KeepDays int
	// Trash is how long removed segments stay in the trash; 0 deletes them at once.
	Trash time.Duration
	// Force believes Now, whatever it is.
	Force  bool
	DryRun bool // only list
}

// Before is the first date that stays.
func (o ExpireOptions) Before() schema.Date { return schema.DateOf(o.Now).AddDays(-o.KeepDays) }

// Expired is what Expire did, or in a dry run would do.
type Expired struct {
	Segments []layout.Segment // moved to the trash
	Emptied  int              // files that were deleted for good
}

// Expire moves every segment, quarantined ones too, whose submission date is too old to
// the trash, and deletes what has been there long enough. Jobs that listed a segment
// before still read it there.
//
// A clock that is not believed removes nothing: the error wraps a *LeapError if there
// would be something to remove; in a dry run, the result says what. ErrBusy while
// Compact runs.
func (p *Place) Expire(ctx context.Context, o ExpireOptions) (done Expired, err error) {
	err = p.locked(ctx, func() error {
		done, err = p.expire(ctx, o)
		return err
	})

	if err != nil {
		return done, fmt.Errorf("expire: %w", err)
	}
	return done, nil
}

// expire is Expire for a caller that holds the lock.
func (p *Place) expire(ctx context.Context, o ExpireOptions) (Expired, error) {
	old, err := p.tooOld(ctx, o)
	if err != nil {
		return Expired{}, err
	}

	// A clock that leaps must neither remove records nor empty the trash.
	if !o.Force {
		err := p.believe(ctx, o.Now)
		if _, leap := errors.AsType[*LeapError](err); leap {
			return p.refused(ctx, old, o, err)
		}
		if err != nil {
			return Expired{}, err
		}
	}
	if o.DryRun {
		return Expired{Segments: old.Segments}, nil
	}

	if err := p.recordUpkeep(ctx, o.Now); err != nil {
		return Expired{}, err
	}
	if err := p.discard(ctx, old, o.Now); err != nil {
		return Expired{}, err
	}

	emptied, err := p.emptyDue(ctx, o)
	return Expired{Segments: old.Segments, Emptied: emptied}, err
}

// refused is the outcome of an Expire whose clock is not believed: no error if there is
// nothing to remove.
func (p *Place) refused(ctx context.Context, old layout.Listing, o ExpireOptions, leap error) (Expired, error) {
	runs, err := p.dueRuns(ctx, o)
	if err != nil {
		return Expired{}, err
	}
	if len(old.Segments)+len(runs) == 0 {
		return Expired{}, nil
	}

	if o.DryRun {
		return Expired{Segments: old.Segments}, leap
	}
	return Expired{}, leap
}

// tooOld lists what was submitted before the days to keep.
func (p *Place) tooOld(ctx context.Context, o ExpireOptions) (layout.Listing, error) {
	if o.KeepDays == 0 {
		return layout.Listing{}, nil
	}

	// Records whose time is not known have NoDate, before the first: they stay.
	first := string(schema.FirstDate)
	last := string(o.Before().AddDays(-1))
	old := schema.All().Where(schema.SubmissionDate, schema.Between(&first, &last))
	old.IncludeQuarantined = true
	return p.tree.List(ctx, old)
}

// discard moves segments to the trash.
func (p *Place) discard(ctx context.Context, old layout.Listing, now time.Time) error {
	// Hidden segments go first: without the merged one, they would be visible again.
	run := path.Join(layout.TrashDir, strconv.FormatInt(now.Unix(), 10))
	for batch := range slices.Chunk(slices.Concat(old.Hidden, old.Segments), expireBatch) {
		var moves [][2]string
		for _, seg := range batch {
			moves = append(moves, [2]string{seg.Path, path.Join(run, seg.Path)})
		}
		if err := p.site.move(ctx, moves); err != nil {
			return err
		}
	}
	return nil
}
