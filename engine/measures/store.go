package measures

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Store is the prepared days of a data folder. It is safe for concurrent use.
type Store struct {
	data        *layout.Data
	definitions Definitions
	now         func() time.Time
	log         *slog.Logger
	wake        chan struct{}

	// files is held for reading while a day's file is read, and for writing while one is
	// replaced, so that an index and the blocks that it points to belong together.
	files sync.RWMutex
	days  map[string]*Day // by date; protected by files

	mu       sync.Mutex // protects what follows
	checked  time.Time  // when the segments were listed last
	stale    map[string]staleDay
	notUntil map[string]time.Time // when a day that was made may be made again
	working  string               // the date that is being made; "" is none
}

// staleDay is a day whose segments are not those of its file.
type staleDay struct {
	segments []layout.Segment
	added    int // segments that are not in the file
}

// Open returns the prepared days of a data folder. What cannot be read is made again.
func Open(data *layout.Data, definitions Definitions, now func() time.Time, log *slog.Logger) (*Store, error) {
	s := &Store{
		data: data, definitions: definitions, now: now, log: log,
		wake:     make(chan struct{}, 1),
		days:     map[string]*Day{},
		stale:    map[string]staleDay{},
		notUntil: map[string]time.Time{},
	}

	entries, err := fs.ReadDir(data.Root().FS(), Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}

	// A day that cannot be read, or has another's name, is left out and so made again.
	for _, entry := range entries {
		day, err := readDay(data.Root(), entry.Name())
		if err == nil && day.Date == entry.Name() {
			s.days[day.Date] = day
		}
	}
	return s, nil
}

// Wake lets Run look for stale days now.
func (s *Store) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// checkEvery is how often the segments are listed at most, because of requests.
const checkEvery = 2 * time.Second

// Requested is called when the days are looked at: they should be fresh.
func (s *Store) Requested() {
	s.mu.Lock()
	due := s.now().Sub(s.checked) > checkEvery
	s.mu.Unlock()
	if due {
		s.Wake()
	}
}

// Run makes stale days whenever it is woken, until ctx ends.
func (s *Store) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		if err := s.Update(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the explorer's days are not up to date", "err", err)
		}
	}
}

// restFactor is how much longer than its making a day rests before it is made again: a
// fresh day grows all the time.
const restFactor = 4

// Update makes the days whose segments have changed, the newest first, and removes those
// that are gone. A day with a damaged segment stays as it is, and the rest is made.
func (s *Store) Update(ctx context.Context) error {
	// A deletion request counts at once for what is made from now on; days that were made
	// are made again when it is applied, because that changes their segments.
	tree := s.data.Tree()
	if err := tree.SkipForgotten(ctx); err != nil {
		return err
	}
	byDay, err := s.list(ctx)
	if err != nil {
		return err
	}

	var errs []error
	for _, date := range slices.Backward(slices.Sorted(maps.Keys(byDay))) {
		// A day that was made shortly before rests.
		s.mu.Lock()
		resting := s.now().Before(s.notUntil[date])
		if !resting {
			s.working = date
		}
		s.mu.Unlock()
		if resting {
			continue
		}

		start := s.now()
		err := s.make(ctx, tree, date, byDay[date].segments)

		// A day that failed rests, too: its damage would be read again at once.
		s.mu.Lock()
		s.working = ""
		s.notUntil[date] = s.now().Add(restFactor * s.now().Sub(start))
		if err == nil {
			delete(s.stale, date)
		}
		s.mu.Unlock()

		// A segment may be compacted away meanwhile: the next time lists what replaced it.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", date, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// list finds the stale days, and removes files of days that have no segments any more.
func (s *Store) list(ctx context.Context) (map[string]staleDay, error) {
	segments, err := s.data.Tree().Segments(ctx, schema.All())
	if err != nil {
		return nil, err
	}

	// A segment without a well-formed date belongs to no day.
	byDay := map[string][]layout.Segment{}
	for _, segment := range segments {
		date := segment.Dims[schema.SubmissionDate]
		if schema.Date(date).WellFormed() {
			byDay[date] = append(byDay[date], segment)
		}
	}

	s.files.Lock()
	defer s.files.Unlock()

	// A day is stale if its file is of other segments than there are now.
	stale := map[string]staleDay{}
	for date, of := range byDay {
		names := namesOf(of)
		day := s.days[date]
		if day != nil && slices.Equal(day.Segments, names) {
			continue
		}

		added := 0
		for _, name := range names {
			if day == nil || !slices.Contains(day.Segments, name) {
				added++
			}
		}

		stale[date] = staleDay{of, added}
	}

	// A day without segments is gone, and its file must not be shown any more.
	for date := range s.days {
		if byDay[date] != nil {
			continue
		}
		err := s.data.Root().Remove(path.Join(Dir, date))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		delete(s.days, date)
	}

	// A copy, because Update deletes from s.stale while it reads the result.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked = s.now()
	s.stale = maps.Clone(stale)
	return stale, nil
}

// namesOf names segments and, as far as a name can, their content.
func namesOf(segments []layout.Segment) []string {
	names := make([]string, 0, len(segments))
	for _, segment := range segments {
		names = append(names, fmt.Sprintf("%s %d", segment.Path, segment.Size))
	}
	slices.Sort(names)
	return names
}

// make makes the file of a day.
func (s *Store) make(ctx context.Context, tree *layout.Tree, date string, segments []layout.Segment) error {
	built, err := build(ctx, tree, segments, s.definitions)
	if err != nil {
		return err
	}

	day := &Day{
		Date: date, Made: s.now().UTC(), Segments: namesOf(segments),
		Records: built.records, Anonymous: built.anonymous, Revision: built.revision, Partitions: built.list,
	}

	// Only the replacement holds the lock: queries go on while the day is summed up.
	s.files.Lock()
	defer s.files.Unlock()
	if err := built.write(s.data.Root(), day); err != nil {
		return err
	}

	s.days[date] = day
	return nil
}

// DayStatus says how fresh a day is.
type DayStatus struct {
	Date    string    `json:"date"`
	Records int64     `json:"records"`
	Made    time.Time `json:"made,omitzero"`
	// Missing counts segments that are published and not in the day.
	Missing int  `json:"missing"`
	Making  bool `json:"making,omitempty"`
}

// Name is a measure of some days.
type Name struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Pings uint64 `json:"pings"`
	First string `json:"first"` // dates
	Last  string `json:"last"`
}

// Contents returns the days, and every measure that they have, by name.
func (s *Store) Contents() (days []DayStatus, names []Name) {
	// Always in this order: list does the same.
	s.files.RLock()
	defer s.files.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()

	// Stale days are listed, too, before they have a file.
	dates := map[string]bool{}
	for date := range s.days {
		dates[date] = true
	}
	for date := range s.stale {
		dates[date] = true
	}

	// Dates ascend, so that First is set once and Last and Kind are the newest day's.
	found := map[string]*Name{}
	for _, date := range slices.Sorted(maps.Keys(dates)) {
		status := DayStatus{Date: date, Missing: s.stale[date].added, Making: s.working == date}
		if day := s.days[date]; day != nil {
			status.Records = day.Records
			status.Made = day.Made
			for _, m := range day.Measures {
				if found[m.Name] == nil {
					found[m.Name] = &Name{Name: m.Name, First: date}
				}

				name := found[m.Name]
				name.Kind = m.Kind
				name.Pings += m.Pings
				name.Last = date
			}
		}

		days = append(days, status)
	}

	for _, name := range slices.Sorted(maps.Keys(found)) {
		names = append(names, *found[name])
	}
	return days, names
}

// Revision returns the URL of the revision that the newest classic pings have; "" if there
// are none.
func (s *Store) Revision() string {
	s.files.RLock()
	defer s.files.RUnlock()

	for _, date := range slices.Backward(slices.Sorted(maps.Keys(s.days))) {
		if s.days[date].Revision != "" {
			return s.days[date].Revision
		}
	}
	return ""
}

// Stale returns the paths, relative to the data folder, of the days that were made from
// segments which are not there any more, and that no server has made again since.
func Stale(ctx context.Context, data *layout.Data) (stale []string, err error) {
	entries, err := fs.ReadDir(data.Root().FS(), Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	segments, err := data.Tree().Segments(ctx, schema.All())
	if err != nil {
		return nil, err
	}

	there := map[string]bool{}
	for _, name := range namesOf(segments) {
		there[name] = true
	}
	for _, entry := range entries {
		day, err := readDay(data.Root(), entry.Name())
		isGone := func(name string) bool { return !there[name] }
		if err != nil || slices.ContainsFunc(day.Segments, isGone) {
			stale = append(stale, path.Join(Dir, entry.Name())) // one that cannot be read, too
		}
	}
	return stale, nil
}
