package jobs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"hash/maphash"
	"io"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// maxBackfillDays bounds a range.
const maxBackfillDays = 4000

// maxCompareBytes bounds results that are compared line by line.
const maxCompareBytes = 64 << 20

// Backfill makes the results of a script for each submission date of a range, one run after
// the other. Errors wrap ErrRequest.
func (s *Scripts) Backfill(name string, days api.Range) (api.Backfill, error) {
	for _, day := range []schema.Date{days.From, days.To} {
		if _, err := schema.ParseDate(string(day)); err != nil {
			return api.Backfill{}, requestError("%w", err)
		}
	}
	// Dates are compared as texts, so all that are counted have four digits of a year.
	if days.To < days.From || !days.From.AddDays(maxBackfillDays).WellFormed() || days.From.AddDays(maxBackfillDays) <= days.To {
		return api.Backfill{}, requestError("from %s to %s: want 1 to %d days", days.From, days.To, maxBackfillDays)
	}
	if version, ok := s.folder.Get(name); !ok || version.Loaded.IsZero() {
		return api.Backfill{}, requestError("there is no script %q that loads", name)
	}

	s.backfilling.Lock()
	defer s.backfilling.Unlock()
	var current api.Backfill
	ok, err := s.manager.store.get(backfillsBucket, name, &current)
	if err != nil {
		return api.Backfill{}, err
	}
	if ok && !current.State.Ended() {
		return api.Backfill{}, requestError("a backfill of %s from %s to %s goes on: cancel it first", name, current.From, current.To)
	}

	current = api.Backfill{Range: days, State: api.Queued, Next: days.From, Created: s.manager.o.Now().UTC()}
	return current, s.manager.store.put(backfillsBucket, name, current)
}

// CancelBackfill ends the backfill of a script, and its run. The days that are made stay.
func (s *Scripts) CancelBackfill(name string) error {
	s.backfilling.Lock()
	defer s.backfilling.Unlock()

	var current api.Backfill
	ok, err := s.manager.store.get(backfillsBucket, name, &current)
	if err != nil || !ok || current.State.Ended() {
		return err
	}
	if err := s.manager.Cancel(current.Run); err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	return s.endBackfill(name, &current, api.Cancelled, "")
}

// endBackfill stores the last state of a backfill. Caller holds backfilling.
func (s *Scripts) endBackfill(name string, current *api.Backfill, state api.State, text string) error {
	current.State = state
	current.Error = text
	current.Ended = s.manager.o.Now().UTC()
	return s.manager.store.put(backfillsBucket, name, current)
}

// Backfilled returns the last backfill of a script, and its days.
func (s *Scripts) Backfilled(name string) (api.Backfilled, error) {
	found := api.Backfilled{Days: []api.Day{}}
	var current api.Backfill
	ok, err := s.manager.store.get(backfillsBucket, name, &current)
	if ok {
		found.Backfill = &current
	}
	if err != nil {
		return found, err
	}

	// The keys of a script's days follow each other.
	err = s.manager.store.each(daysBucket, dayKey(name, ""), func(text []byte) error {
		var day api.Day
		err := json.Unmarshal(text, &day)
		found.Days = append(found.Days, day)
		return err
	})
	return found, err
}

// dayKey is the key of a day in the store; a name has no slash.
func dayKey(script string, day schema.Date) string { return script + "/" + string(day) }

// advance takes the backfills that go on as far as they can go now: a run that has ended
// becomes the result of its day, and the next day is started.
func (s *Scripts) advance() error {
	s.backfilling.Lock()
	defer s.backfilling.Unlock()

	// First all are read: the store is not changed while it is.
	backfills := map[string]*api.Backfill{}
	err := s.manager.store.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(backfillsBucket).ForEach(func(name, text []byte) error {
			current := &api.Backfill{}
			if err := json.Unmarshal(text, current); err != nil {
				return err
			}
			if !current.State.Ended() {
				backfills[string(name)] = current
			}
			return nil
		})
	})
	for name, current := range backfills {
		err = errors.Join(err, s.advanceOne(name, current))
	}
	return err
}

// advanceOne advances the backfill of a script. After a restart it finds what the store says,
// and does again what may not have been done.
func (s *Scripts) advanceOne(name string, current *api.Backfill) error {
	if s.manager.isActive(name) {
		return nil // one run of a script at a time, whatever started it
	}

	// What became of the last run. One that the end of a server interrupted runs again.
	if current.Run != "" {
		run, _, err := s.manager.Get(current.Run)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		switch run.State {
		case api.Done:
			if err := s.manager.replaceDay(name, current.Next, run); err != nil {
				return err
			}
			current.Next = current.Next.AddDays(1)
		case api.Failed:
			current.Failed = append(current.Failed, current.Next)
			current.Next = current.Next.AddDays(1)
		case api.Cancelled:
			return s.endBackfill(name, current, api.Cancelled, "its run of "+string(current.Next)+" was cancelled")
		}
		current.Run = ""
		if err := s.manager.store.put(backfillsBucket, name, current); err != nil {
			return err
		}
	}

	if current.Next > current.To {
		if len(current.Failed) > 0 {
			return s.endBackfill(name, current, api.Failed, "some days failed; their results are as before")
		}
		return s.endBackfill(name, current, api.Done, "")
	}

	run, err := s.Start(name, api.Request{Where: []string{"submission_date=" + string(current.Next)}}, api.ByBackfill)
	if errors.Is(err, ErrFull) {
		return nil // at the next tick
	}
	if err != nil {
		return s.endBackfill(name, current, api.Failed, err.Error())
	}

	// Ending between the two makes the day twice, with the same result.
	current.State = api.Running
	current.Run = run.ID
	return s.manager.store.put(backfillsBucket, name, current)
}

// replaceDay compares the result of a run with that of the day, and replaces it.
func (m *Manager) replaceDay(name string, date schema.Date, run api.Run) error {
	var before api.Day
	key := dayKey(name, date)
	ok, err := m.store.get(daysBucket, key, &before)
	if err != nil || before.Run == run.ID { // it was replaced before a crash
		return err
	}

	day := api.Day{Date: date, Run: run.ID, Previous: before.Run, Change: api.ChangeNew, Made: run.Ended}
	if ok {
		if err := m.compare(&day, before.Run, run); err != nil {
			return err
		}
	}

	// From here on the run is kept, and the one before may go.
	m.keepForDay(before.Run, run.ID)
	return m.store.put(daysBucket, key, day)
}

// compare sets how a day's result differs from that of the run before.
func (m *Manager) compare(day *api.Day, before string, run api.Run) error {
	previous, _, err := m.Get(before)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	day.Change = api.ChangeSame
	byName := func(a, b api.Result) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }
	was := slices.SortedFunc(slices.Values(previous.Results), byName)
	is := slices.SortedFunc(slices.Values(run.Results), byName)
	if slices.Equal(was, is) {
		return nil
	}

	// Lines that are on both sides, as often, have not changed.
	day.Change = api.ChangeChanged
	size := int64(0)
	for _, result := range slices.Concat(was, is) {
		size += result.Bytes
	}
	if size > maxCompareBytes {
		return nil
	}
	counts := map[uint64]int{}
	seed := maphash.MakeSeed()
	if err := errors.Join(m.countLines(before, was, seed, counts, -1), m.countLines(run.ID, is, seed, counts, 1)); err != nil {
		return err
	}
	for _, count := range counts {
		day.Added += max(0, count)
		day.Removed += max(0, -count)
	}
	return nil
}

// countLines adds step to the count of each line of a run's results, by its hash. Files that
// were removed, because a client in them was forgotten, have no lines.
func (m *Manager) countLines(id string, results []api.Result, seed maphash.Seed, counts map[uint64]int, step int) error {
	for _, result := range results {
		file, err := m.OpenResult(id, result.Name)
		if err != nil {
			continue
		}
		lines := bufio.NewReader(file)
		for err == nil {
			var line []byte
			line, err = lines.ReadBytes('\n')
			if len(line) > 0 {
				counts[maphash.Bytes(seed, append([]byte(result.Name+"\x00"), line...))] += step
			}
		}
		if closeErr := file.Close(); err != io.EOF || closeErr != nil {
			return errors.Join(err, closeErr)
		}
	}
	return nil
}

// keepForDay says that a run is the result of a day, in place of another one, "" for none.
func (m *Manager) keepForDay(before, now string) {
	m.mu.Lock()
	defer m.mu.Unlock()

	delete(m.ofDays, before)
	m.ofDays[now] = true
}
