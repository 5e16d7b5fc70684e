package upkeep

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// onDay is a partition of that submission date, in a channel of its own.
func onDay(date schema.Date) schema.Dims {
	p := layouttest.Channel("c" + string(date))
	p[schema.SubmissionDate] = string(date)
	return p
}

// publishDays publishes two records on each of the days before, and on, the day of now.
func publishDays(t *testing.T, d *layout.Data, now time.Time, days int) (lines []string) {
	t.Helper()
	var partitions []schema.Dims
	for i := range days {
		partitions = append(partitions, onDay(schema.DateOf(now).AddDays(-i)))
	}
	return layouttest.Publish(t, d, "log."+string(schema.DateOf(now)), 2, partitions...)
}

// expire runs retention of 30 days, and returns how many segments it removed.
func expire(t *testing.T, place *Place, now time.Time, force bool) (int, error) {
	t.Helper()
	done, err := place.Expire(t.Context(), ExpireOptions{Now: now, KeepDays: 30, Trash: 7 * 24 * time.Hour, Force: force})
	return len(done.Segments), err
}

func isLeap(err error) bool {
	_, leap := errors.AsType[*LeapError](err)
	return leap
}

func TestExpire(t *testing.T) {
	d := layouttest.Open(t)
	layouttest.Publish(t, d, "log.1", 2, onDay("20130901"), onDay("20130909"), onDay("20130910"))
	layouttest.Publish(t, d, "log.2", 2, onDay("20130901"))
	now := time.Date(2013, 9, 11, 7, 0, 0, 0, time.UTC)
	for _, dry := range []bool{true, false} {
		done, err := In(d).Expire(t.Context(), ExpireOptions{Now: now, KeepDays: 1, DryRun: dry})
		if err != nil || len(done.Segments) != 3 {
			t.Errorf("Expire = %d segments, %v; want 3", len(done.Segments), err)
		}
	}
	if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != 2 {
		t.Errorf("%d records are left, want 2", len(got))
	}
	if es, _ := os.ReadDir(filepath.Join(d.Dir(), layout.PublishedDir, layouttest.Partition[schema.Reason], layouttest.Partition[schema.AppName])); len(es) != 1 {
		t.Errorf("folders left: %v", es)
	}
	if _, err := os.Stat(filepath.Join(d.Dir(), layout.TrashDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with no time in the trash, the trash is still there: %v", err)
	}
	layouttest.Publish(t, d, "log.1", 2, onDay("20130901")) // into a folder that went away
}

// TestClockLeaps: retention beside clocks that jump removes nothing, neither records nor
// what is in the trash.
func TestClockLeaps(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	leaps := map[string]time.Time{
		"three days ahead":  now.AddDate(0, 0, 3),
		"a year ahead":      now.AddDate(1, 0, 0),
		"a century ahead":   now.AddDate(100, 0, 0),
		"beyond year 9999":  now.AddDate(9000, 0, 0),
		"three days behind": now.AddDate(0, 0, -3),
		"to 1970":           time.Unix(0, 0),
	}

	for _, ranBefore := range []bool{false, true} {
		for _, dated := range []bool{false, true} {
			for name, leap := range leaps {
				d := layouttest.Open(t)
				publishDays(t, d, now, 40)
				if ranBefore {
					n, err := expire(t, In(d), now, false)
					if n != 9 || err != nil {
						t.Fatal(n, err)
					}
				}

				// A submission that comes meanwhile has a date of the wrong clock.
				if dated && schema.DateOf(leap).WellFormed() {
					wrong := onDay(schema.DateOf(leap))
					wrong[schema.Channel] = "leap"
					layouttest.Publish(t, d, "log.leap", 2, wrong)
				}
				before := countFiles(t, d)
				removed := 0
				for range 2 {
					n, err := expire(t, In(d), leap, false)
					removed += n
					if err != nil && !isLeap(err) {
						t.Errorf("%s, ran before %v: %v", name, ranBefore, err)
					}
					if _, err := In(d).Compact(t.Context(), CompactOptions{Filter: layouttest.Everything(), Grace: time.Hour, Now: leap}); err != nil {
						t.Error(err)
					}
				}
				if after := countFiles(t, d); after != before {
					t.Errorf("%s, ran before %v: %d files became %d", name, ranBefore, before, after)
				}
				if removed > 0 && (ranBefore || leap.After(now)) {
					t.Errorf("%s, ran before %v, dated %v: removed %d", name, ranBefore, dated, removed)
				}

				// The clock is right again.
				_, err := expire(t, In(d), now.Add(time.Hour), false)
				if err != nil {
					t.Errorf("%s: %v when the clock was right again", name, err)
				}
			}
		}
	}
}

// countFiles counts the segments that are published or in the trash.
func countFiles(t *testing.T, d *layout.Data) int {
	t.Helper()
	all, err := d.Tree().Segments(t.Context(), layouttest.Everything())
	if err != nil {
		t.Fatal(err)
	}

	runs, err := ListTrash(t.Context(), In(d))
	if err != nil {
		t.Fatal(err)
	}
	count := len(all)
	for _, run := range runs {
		count += run.Files
	}
	return count
}

// TestClockIsBelievedAgain: after a long pause, a clock is believed by force, or when
// records of three days have come.
func TestClockIsBelievedAgain(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	later := now.AddDate(0, 2, 0)
	for _, force := range []bool{true, false} {
		d := layouttest.Open(t)
		publishDays(t, d, now, 5)
		if n, err := expire(t, In(d), now, false); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if _, err := expire(t, In(d), later, false); !isLeap(err) {
			t.Errorf("after two months: %v", err)
		}

		if !force {
			publishDays(t, d, later, lastDays-1)
		}
		if n, err := expire(t, In(d), later, force); n != 5 || err != nil {
			t.Errorf("force %v: removed %d, %v", force, n, err)
		}
		if n, err := expire(t, In(d), later.Add(time.Hour), false); n != 0 || err != nil {
			t.Errorf("an hour later: removed %d, %v", n, err)
		}
	}
}

// TestTrash follows segments into the trash, where a job that listed them still reads
// them, and out of it: restored, or deleted after the grace period. The folder of a run
// can be read as a data folder.
func TestTrash(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, inStore := range []bool{false, true} {
		d := layouttest.Open(t)
		if inStore {
			if err := d.PublishTo("file://" + filepath.Join(t.TempDir(), "store")); err != nil {
				t.Fatal(err)
			}
		}
		want := publishDays(t, d, now, 40)
		slices.Sort(want)
		listed, err := d.Tree().Segments(t.Context(), schema.All())
		if err != nil {
			t.Fatal(err)
		}

		place := In(d)
		if n, err := expire(t, place, now, false); n != 9 || err != nil {
			t.Fatal(n, err)
		}
		if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != 2*31 {
			t.Errorf("%d records are left, want %d", len(got), 2*31)
		}
		for _, seg := range listed {
			if text, err := layouttest.ReadSegment(d.Tree(), seg); err != nil || len(text) == 0 {
				t.Errorf("listed before: %v", err)
			}
		}

		runs, err := ListTrash(t.Context(), place)
		if err != nil || len(runs) != 1 || runs[0].Files != 9 || !runs[0].Time.Equal(now) || runs[0].Bytes == 0 {
			t.Fatalf("trash %+v, %v", runs, err)
		}
		if !inStore {
			trashed, err := layout.OpenTree(filepath.Join(d.Dir(), layout.TrashDir, runs[0].Name))
			if err != nil {
				t.Fatal(err)
			}
			if got := layouttest.ReadAll(t, trashed, schema.All()); len(got) != 2*9 {
				t.Errorf("the run has %d records", len(got))
			}
			trashed.Close()
		}

		// Restored, all is as before; a place that is taken stays as it is.
		if n, taken, err := place.Restore(t.Context(), runs[0].Name); n != 9 || len(taken) != 0 || err != nil {
			t.Errorf("restored %d, %v, %v", n, taken, err)
		}
		if got := layouttest.ReadAll(t, d.Tree(), schema.All()); !slices.Equal(got, want) {
			t.Errorf("%d records after restoring, want %d", len(got), len(want))
		}
		if runs, err := ListTrash(t.Context(), place); err != nil || len(runs) != 0 {
			t.Errorf("trash %+v, %v", runs, err)
		}

		// Removed again, it goes for good when the grace period is over.
		for _, day := range []int{0, 1, 2, 3, 4, 5, 6, 7} {
			done, err := place.Expire(t.Context(), ExpireOptions{Now: now.AddDate(0, 0, day), KeepDays: 60 * 365, Trash: 7 * 24 * time.Hour})
			if day == 0 {
				_, err = expire(t, place, now, false)
			}
			if wantEmptied := map[int]int{7: 9}[day]; err != nil || done.Emptied != wantEmptied {
				t.Errorf("day %d: deleted %d, %v", day, done.Emptied, err)
			}
		}
		if _, _, err := place.Restore(t.Context(), runs[0].Name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("restored from an empty trash: %v", err)
		}
	}
}

// TestRestoreReplacesNothing restores a segment whose place is taken.
func TestRestoreReplacesNothing(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	d := layouttest.Open(t)
	publishDays(t, d, now, 32)
	if n, err := expire(t, In(d), now, false); n != 1 || err != nil {
		t.Fatal(n, err)
	}

	again := layouttest.Publish(t, d, "log.20261128", 3, onDay("20261028"))
	runs, _ := ListTrash(t.Context(), In(d))
	if n, taken, err := In(d).Restore(t.Context(), runs[0].Name); n != 0 || len(taken) != 1 || err != nil {
		t.Errorf("restored %d, taken %v, %v", n, taken, err)
	}
	old := schema.All().Where(schema.SubmissionDate, schema.OneOf("20261028"))
	if got := layouttest.ReadAll(t, d.Tree(), old); !slices.Equal(got, again) {
		t.Errorf("read %q, want %q", got, again)
	}
	if n, err := In(d).Empty(t.Context(), runs[0].Name); n != 1 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
}

// TestExpireKilledAtEveryChange: whatever the change at which retention dies, each
// record is where it was or in the trash, once, before the next run and after.
func TestExpireKilledAtEveryChange(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for n, completed := 0, false; !completed; n++ {
		d := layouttest.Open(t)
		want := publishDays(t, d, now, 33)
		want = append(want, layouttest.Publish(t, d, "log.2", 2, onDay("20261026"))...)
		if _, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Grace: time.Hour, Now: now}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)

		d.Folder().Hook = (&layouttest.Killer{Left: n}).Hook
		_, err := expire(t, In(d), now, false)
		d.Folder().Hook = nil
		if completed = err == nil; !completed && !errors.Is(err, layouttest.ErrKilled) {
			t.Fatalf("kill %d: %v", n, err)
		}

		for range 2 {
			got := layouttest.ReadAll(t, d.Tree(), schema.All())
			runs, err := ListTrash(t.Context(), In(d))
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range runs {
				trashed, err := layout.OpenTree(filepath.Join(d.Dir(), layout.TrashDir, run.Name))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, layouttest.ReadAll(t, trashed, schema.All())...)
				trashed.Close()
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("kill %d: %d records, want %d", n, len(got), len(want))
			}
			if _, err := expire(t, In(d), now, false); err != nil {
				t.Fatal(err)
			}
		}
		if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != 2*31 {
			t.Errorf("kill %d: %d records are left", n, len(got))
		}
	}
}

// TestDamagedClock: a record that cannot be read is a missing one, and one of a newer
// format removes nothing.
func TestDamagedClock(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	d := layouttest.Open(t)
	publishDays(t, d, now, 32)
	name := filepath.Join(d.Dir(), layout.ClockFile)
	if err := os.WriteFile(name, []byte(`{"version": 2}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := expire(t, In(d), now, false); n != 0 || err == nil || isLeap(err) {
		t.Errorf("newer: removed %d, %v", n, err)
	}

	if err := os.WriteFile(name, make([]byte, 40), 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := expire(t, In(d), now, false); n != 1 || err != nil {
		t.Errorf("damaged: removed %d, %v", n, err)
	}
}
