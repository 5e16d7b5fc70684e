package upkeep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

func compactColumns(t testing.TB, d *layout.Data, grace time.Duration) CompactStats {
	t.Helper()
	st, err := In(d).Compact(t.Context(), CompactOptions{Filter: layouttest.Everything(), Grace: grace, Now: testNow, Columns: true})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// channelOn is a partition of another day.
func channelOn(channel, date string) schema.Dims {
	dims := layouttest.Channel(channel)
	dims[schema.SubmissionDate] = date
	return dims
}

// checkStore checks what a reader sees, and that Check finds nothing odd.
func checkStore(t *testing.T, tree *layout.Tree, segments int, want []string) []layout.Segment {
	t.Helper()
	segs, err := tree.Segments(t.Context(), schema.All())
	if err != nil || len(segs) != segments {
		t.Errorf("%d segments, %v; want %d", len(segs), err, segments)
	}
	slices.Sort(want)
	if got := layouttest.ReadAll(t, tree, schema.All()); !slices.Equal(got, want) {
		t.Errorf("read %d records, want %d", len(got), len(want))
	}
	if st, found, err := Check(t.Context(), tree); err != nil || len(found) != 0 || st.Records != int64(len(want)) {
		t.Errorf("Check = %+v, %v, %v; want %d records", st, found, err, len(want))
	}
	return segs
}

// TestCompactColumns: the partitions of a day come together, each record stays, late rows
// join in the next round, and what comes back changes nothing.
func TestCompactColumns(t *testing.T) {
	d := layouttest.Open(t)
	var want []string
	for i := range 3 {
		want = append(want, layouttest.Publish(t, d, fmt.Sprintf("log.%d", i), 5,
			layouttest.Channel("a"), layouttest.Channel("b"), channelOn("a", "20130801"))...)
	}
	before := checkStore(t, d.Tree(), 9, want)
	if st := compactColumns(t, d, time.Hour); st.Partitions != 3 || st.Segments != 9 || st.Records != int64(len(want)) {
		t.Errorf("stats %+v", st)
	}
	checkStore(t, d.Tree(), 2, want)
	if st := compactColumns(t, d, time.Hour); st != (CompactStats{}) {
		t.Errorf("compacting again did %+v", st)
	}

	// A job that listed the segments before goes on reading them.
	for _, s := range before {
		if b, err := layouttest.ReadSegment(d.Tree(), s); err != nil || len(b) == 0 {
			t.Errorf("segment listed before: %v", err)
		}
	}

	// Filters select records of a segment, and whole segments by their day.
	channel := schema.All().Where(schema.Channel, schema.OneOf("b"))
	if got := layouttest.ReadAll(t, d.Tree(), channel); len(got) != 15 {
		t.Errorf("a channel has %d records, want 15", len(got))
	}
	if segs, err := d.Tree().Segments(t.Context(), channel); err != nil || len(segs) != 1 {
		t.Errorf("a channel has %d segments, %v", len(segs), err)
	}

	// A raw log that comes back changes nothing; its new records count.
	layouttest.Publish(t, d, "log.1", 5, layouttest.Channel("a"), layouttest.Channel("b"), channelOn("a", "20130801"))
	checkStore(t, d.Tree(), 2, want)

	// Late rows.
	want = append(want, layouttest.Publish(t, d, "log.9", 3, layouttest.Channel("a"), layouttest.Channel("c"))...)
	checkStore(t, d.Tree(), 4, want)
	compactColumns(t, d, 0)
	checkStore(t, d.Tree(), 2, want)
	layouttest.Publish(t, d, "log.1", 5, layouttest.Channel("a"), layouttest.Channel("b"), channelOn("a", "20130801"))
	layouttest.Publish(t, d, "log.9", 3, layouttest.Channel("a"), layouttest.Channel("c"))
	checkStore(t, d.Tree(), 2, want)

	// Rows that were merged before, and a store with both forms.
	want = append(want, layouttest.Publish(t, d, "log.10", 3, layouttest.Channel("a"))...)
	want = append(want, layouttest.Publish(t, d, "log.11", 3, layouttest.Channel("a"))...)
	compactAll(t, d, 0)
	checkStore(t, d.Tree(), 3, want)
	layouttest.Publish(t, d, "log.10", 3, layouttest.Channel("a"))
	compactColumns(t, d, 0)
	layouttest.Publish(t, d, "log.11", 3, layouttest.Channel("a"))
	checkStore(t, d.Tree(), 2, want)
}

// TestCompactColumnsKilledAtEveryChange: at every change of the disk a reader sees each
// record once.
func TestCompactColumnsKilledAtEveryChange(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Hour} {
		step := 1
		if testing.Short() {
			step = 5
		}
		for n, completed := 0, false; !completed; n += step {
			d := layouttest.Open(t)
			var want []string
			for i := range 2 {
				want = append(want, layouttest.Publish(t, d, fmt.Sprintf("log.%d", i), 2, layouttest.Channel("a"), channelOn("b", "20130801"))...)
			}

			// The second round merges what the first has made.
			compactColumns(t, d, 0)
			want = append(want, layouttest.Publish(t, d, "late", 2, layouttest.Channel("a"))...)
			slices.Sort(want)

			d.Folder().Hook = (&layouttest.Killer{Left: n}).Hook
			_, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Grace: grace, Now: testNow, Columns: true})
			d.Folder().Hook = nil
			if completed = err == nil; !completed && !errors.Is(err, layouttest.ErrKilled) {
				t.Fatalf("kill %d: %v", n, err)
			}
			for range 2 {
				if got := layouttest.ReadAll(t, d.Tree(), schema.All()); !slices.Equal(got, want) {
					t.Fatalf("kill %d: read %q, want %q", n, got, want)
				}
				compactColumns(t, d, grace)
			}
			if segs, err := d.Tree().Segments(t.Context(), schema.All()); err != nil || len(segs) != 2 {
				t.Fatalf("kill %d: %d segments, %v", n, len(segs), err)
			}
		}
	}
}

// TestReadersDuringColumnCompaction is TestReadersDuringCompaction for columns.
func TestReadersDuringColumnCompaction(t *testing.T) {
	d := layouttest.Open(t)
	const perLog = 3
	logs := 30
	if testing.Short() {
		logs = 10
	}
	var mu sync.Mutex
	published := 0
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				atLeast := published
				mu.Unlock()
				lines := layouttest.ReadAll(t, d.Tree(), schema.All())
				if got := slices.Compact(slices.Clone(lines)); len(got) != len(lines) {
					t.Errorf("a reader saw %d records twice", len(lines)-len(got))
				}
				if len(lines) < atLeast*perLog || len(lines)%perLog != 0 {
					t.Errorf("a reader saw %d records, of %d logs at least", len(lines), atLeast)
				}
			}
		})
	}
	for i := range logs {
		layouttest.Publish(t, d, fmt.Sprintf("log.%d", i), perLog, layouttest.Partition)
		mu.Lock()
		published++
		mu.Unlock()
		if i%3 == 2 {
			compactColumns(t, d, time.Hour)
		}
		if i%7 == 6 {
			compactAll(t, d, time.Hour)
		}
	}
	close(stop)
	wg.Wait()
}

// TestCompactColumnsSparesDamage: a damaged partition stays as it is, the rest of the day
// comes into columns.
func TestCompactColumnsSparesDamage(t *testing.T) {
	d := layouttest.Open(t)
	want := layouttest.Publish(t, d, "log.1", 5, layouttest.Channel("a"), layouttest.Channel("b"))
	segs, _ := d.Tree().Segments(t.Context(), schema.All())
	if err := os.Truncate(filepath.Join(d.Dir(), segs[0].Path), segs[0].Size-1); err != nil {
		t.Fatal(err)
	}
	st, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Now: testNow, Columns: true})
	if c, ok := errors.AsType[*layout.CorruptError](err); !ok || c.Path != segs[0].Path || st.Partitions != 1 {
		t.Errorf("Compact = %+v, %v; want a *CorruptError of %s", st, err, segs[0].Path)
	}
	if got := layouttest.ReadAll(t, d.Tree(), schema.All().Where(schema.Channel, schema.OneOf("b"))); len(got) != len(want)/2 {
		t.Errorf("%d records of the sound partition, want %d", len(got), len(want)/2)
	}
	if after, _ := d.Tree().Segments(t.Context(), schema.All()); len(after) != 2 {
		t.Errorf("segments %+v", after)
	}
}

// TestRepairColumns: of a damaged segment in columns, repair keeps each record that can be
// read, wherever the damage is.
func TestRepairColumns(t *testing.T) {
	d := layouttest.Open(t)
	want := layouttest.Publish(t, d, "log.1", 40, layouttest.Channel("a"), layouttest.Channel("b"))
	compactColumns(t, d, 0)
	slices.Sort(want)
	segs, _ := d.Tree().Segments(t.Context(), schema.All())
	name := filepath.Join(d.Dir(), segs[0].Path)
	sound, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}

	kept := map[int]bool{}
	for at := 0; at < len(sound); at += max(1, len(sound)/150) {
		damaged := slices.Clone(sound)
		damaged[at] ^= 0xff
		if err := os.WriteFile(name, damaged, 0o666); err != nil {
			t.Fatal(err)
		}
		_, found, err := In(d).Check(t.Context(), true)
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		for _, f := range found {
			if !f.Damage() || f.Repaired == "" {
				t.Errorf("byte %d: %+v", at, f)
			}
		}
		got := layouttest.ReadAll(t, d.Tree(), schema.All())
		kept[len(got)] = true
		for _, line := range got {
			if _, ok := slices.BinarySearch(want, line); !ok {
				t.Fatalf("byte %d: a record that was never there: %s", at, line)
			}
		}
		if _, found, err := Check(t.Context(), d.Tree()); err != nil || len(found) != 0 {
			t.Fatalf("byte %d: after the repair: %v, %v", at, found, err)
		}

		// A raw log that comes back finds what is left.
		os.RemoveAll(filepath.Join(d.Dir(), layout.DamagedDir))
	}
	if !kept[len(want)] {
		t.Error("no repair kept all records, though the index has a copy")
	}
}

// TestColumnsExpire: retention removes segments in columns by their day.
func TestColumnsExpire(t *testing.T) {
	d := layouttest.Open(t)
	layouttest.Publish(t, d, "log.1", 5, channelOn("a", "20130801"), channelOn("b", "20130801"))
	want := layouttest.Publish(t, d, "log.2", 5, channelOn("a", "20130919"))
	compactColumns(t, d, 0)
	done, err := In(d).Expire(t.Context(), ExpireOptions{Now: testNow, KeepDays: 10, Force: true})
	if err != nil || len(done.Segments) != 1 || !strings.HasSuffix(done.Segments[0].Path, ".parquet") {
		t.Errorf("Expire = %+v, %v", done, err)
	}
	checkStore(t, d.Tree(), 1, want)
}

// TestColumnsLatest: duplicates are found across the forms.
func TestColumnsLatest(t *testing.T) {
	d := layouttest.Open(t)
	first := layouttest.Publish(t, d, "log.1", 5, layouttest.Channel("a"), layouttest.Channel("b"))
	compactColumns(t, d, 0)
	publishLines(t, d, "log.2", layouttest.Channel("a"), first[:5])
	latest := func() int {
		segs, err := d.Tree().Segments(t.Context(), schema.All())
		if err != nil {
			t.Fatal(err)
		}
		found, err := d.Tree().Latest(t.Context(), segs, dedup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		records := 0
		for _, seg := range segs {
			reader, err := d.Tree().Open(seg, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			reader.Skip(found)
			for err == nil {
				var lines []byte
				lines, err = reader.Next()
				records += strings.Count(string(lines), "\n")
			}
			reader.Close()
		}
		if records+int(found.Dropped) != 15 {
			t.Errorf("%d records and %d duplicates of 15", records, found.Dropped)
		}
		return records
	}
	mixed := latest()
	compactColumns(t, d, 0)
	if got := latest(); got != mixed || got != 10 {
		t.Errorf("%d records in columns, %d in both forms; want 10", got, mixed)
	}
}

// publishLines publishes lines under a source.
func publishLines(t testing.TB, d *layout.Data, source string, dims schema.Dims, lines []string) {
	t.Helper()
	w, err := d.NewWriter(source, layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.SetTime(time.UnixMilli(5000))
	for _, line := range lines {
		id, json, _ := strings.Cut(line, "\t")
		if err := w.Add(dims, []byte(id), []byte(json)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestImportColumns: a store in columns is imported like any other.
func TestImportColumns(t *testing.T) {
	d := layouttest.Open(t)
	want := layouttest.Publish(t, d, "log.1", 5, layouttest.Channel("aurora"), layouttest.Channel("nightly"))
	compactColumns(t, d, 0)
	slices.Sort(want)

	// As a data folder, and as a tree of partitions alone.
	for _, dir := range []string{d.Dir(), filepath.Join(d.Dir(), layout.PublishedDir)} {
		tree, err := layout.OpenTree(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		into := layouttest.Open(t)
		for range 2 {
			if st, err := ImportTree(t.Context(), into, tree, schema.All(), nil); err != nil || st.Records != int64(len(want)) {
				t.Errorf("ImportTree = %+v, %v", st, err)
			}
		}
		if got := layouttest.ReadAll(t, into.Tree(), schema.All()); !slices.Equal(got, want) {
			t.Errorf("imported %d records, want %d", len(got), len(want))
		}
		if got := layouttest.ReadAll(t, into.Tree(), schema.All().Where(schema.Channel, schema.OneOf("nightly"))); len(got) != len(want)/2 {
			t.Errorf("%d records of a channel, want %d", len(got), len(want)/2)
		}
	}
}
