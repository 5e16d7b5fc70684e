package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

const (
	// maxLeap is how far the clock may be from the last upkeep without another reason to
	// believe it. A daily chore may be late by a day.
	maxLeap = 48 * time.Hour
	// A clock is also believed if all but one of the last lastDays days have records, or
	// of the last firstDays where no upkeep ran before: one that was wrong for some
	// hours has records of one day, or of two around midnight.
	lastDays  = 4
	firstDays = 3

	clockVersion = 1
)

// LeapError says that the clock is not believed: nothing is removed by it.
type LeapError struct {
	Now  time.Time
	Last time.Time // when upkeep last ran; zero if it never did
}

func (e *LeapError) Error() string {
	now := e.Now.UTC().Format(time.DateTime)
	if e.Last.IsZero() {
		return fmt.Sprintf("the clock says %s, no upkeep ran before, and hardly any records are from the days until then: nothing is removed", now)
	}

	distance := "ahead of"
	if e.Now.Before(e.Last) {
		distance = "behind"
	}
	days := int(e.Now.Sub(e.Last).Abs() / (24 * time.Hour))
	return fmt.Sprintf("the clock says %s, %d days %s the last upkeep (%s), and hardly any records are from the days until then: nothing is removed",
		now, days, distance, e.Last.UTC().Format(time.DateTime))
}

// clockRecord is the content of layout.ClockFile.
type clockRecord struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
}

// believe returns a *LeapError unless the clock agrees with the last upkeep or with the
// records that came lately. The caller holds the lock.
func (p *Place) believe(ctx context.Context, now time.Time) error {
	last, err := p.lastUpkeep(ctx)
	if err != nil {
		return err
	}
	if !last.IsZero() && now.Sub(last).Abs() <= maxLeap {
		return nil
	}

	// A clock that is wrong for a while dates some submissions, but not those of days.
	looked := lastDays
	if last.IsZero() {
		looked = firstDays
	}
	days, err := p.recordDays(ctx, now, looked)
	if err != nil || days >= looked-1 {
		return err
	}
	return &LeapError{Now: now, Last: last}
}

// believed returns the time of the clock, or of the last upkeep if the clock is not
// believed. Without a former upkeep it is the clock's. The caller holds the lock.
func (p *Place) believed(ctx context.Context, now time.Time) (time.Time, error) {
	err := p.believe(ctx, now)
	if leap, ok := errors.AsType[*LeapError](err); ok {
		if leap.Last.IsZero() {
			return now, nil
		}
		return leap.Last, nil
	}
	return now, err
}

// recordDays returns on how many of the last days, of now too, records were submitted.
func (p *Place) recordDays(ctx context.Context, now time.Time, looked int) (int, error) {
	today := schema.DateOf(now)
	first := string(today.AddDays(1 - looked))
	last := string(today)
	lately := schema.All().Where(schema.SubmissionDate, schema.Between(&first, &last))
	lately.IncludeQuarantined = true

	all, err := p.tree.List(ctx, lately)
	if err != nil {
		return 0, err
	}

	days := map[string]bool{}
	for _, seg := range all.Segments {
		days[seg.Dims[schema.SubmissionDate]] = true
	}
	return len(days), nil
}

// lastUpkeep returns when upkeep last ran by a clock that was believed; zero if that is
// not known. A record that is damaged is one that is missing: then the records decide.
func (p *Place) lastUpkeep(ctx context.Context) (time.Time, error) {
	doc, err := p.site.load(ctx, layout.ClockFile)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}

	var record clockRecord
	if json.Unmarshal(doc, &record) != nil {
		return time.Time{}, nil
	}
	if record.Version > clockVersion {
		return time.Time{}, fmt.Errorf("%s: a newer format, version %d", layout.ClockFile, record.Version)
	}
	return record.Time, nil
}

// recordUpkeep makes durable that upkeep ran at that time.
func (p *Place) recordUpkeep(ctx context.Context, now time.Time) error {
	doc, err := json.Marshal(clockRecord{Version: clockVersion, Time: now.UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	return p.site.save(ctx, layout.ClockFile, append(doc, '\n'))
}
