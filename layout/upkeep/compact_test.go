package upkeep

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

var testNow = time.Date(2013, 9, 20, 12, 0, 0, 0, time.UTC)

func compactAll(t testing.TB, d *layout.Data, grace time.Duration) CompactStats {
	t.Helper()
	st, err := In(d).Compact(t.Context(), CompactOptions{Filter: layouttest.Everything(), Grace: grace, Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestCompact(t *testing.T) {
	d := layouttest.Open(t)
	var want []string
	for i := range 5 {
		want = append(want, layouttest.Publish(t, d, fmt.Sprintf("log.%d", i), 10+i, layouttest.Channel("a"), layouttest.Channel("b"))...)
	}
	before, err := d.Tree().Segments(t.Context(), schema.All())
	if err != nil || len(before) != 10 {
		t.Fatalf("%d segments, %v", len(before), err)
	}
	slices.Sort(want)
	check := func(segments int) {
		t.Helper()
		segs, err := d.Tree().Segments(t.Context(), schema.All())
		if err != nil || len(segs) != segments {
			t.Errorf("%d segments, %v; want %d", len(segs), err, segments)
		}
		if got := layouttest.ReadAll(t, d.Tree(), schema.All()); !slices.Equal(got, want) {
			t.Errorf("read %d records, want %d", len(got), len(want))
		}
	}
	if st, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Now: testNow, DryRun: true}); err != nil || st.Segments != 10 {
		t.Errorf("dry run: %+v, %v", st, err)
	}
	check(10)
	st := compactAll(t, d, time.Hour)
	if st.Partitions != 2 || st.Segments != 10 || st.Records != int64(len(want)) {
		t.Errorf("stats %+v", st)
	}
	check(2)
	if st := compactAll(t, d, time.Hour); st != (CompactStats{}) {
		t.Errorf("compacting again did %+v", st)
	}
	// A job that listed the segments before goes on reading them.
	for _, s := range before {
		if b, err := layouttest.ReadSegment(d.Tree(), s); err != nil || len(b) == 0 {
			t.Errorf("segment listed before: %v", err)
		}
	}
	// New segments join the merged one; a source that comes back changes nothing.
	want = append(want, layouttest.Publish(t, d, "log.9", 3, layouttest.Channel("a"))...)
	slices.Sort(want)
	check(3)
	layouttest.Publish(t, d, "log.1", 11, layouttest.Channel("a"))
	check(3)
	if st := compactAll(t, d, 0); st.Partitions != 1 || st.Segments != 2 {
		t.Errorf("stats %+v", st)
	}
	check(2)
	layouttest.Publish(t, d, "log.1", 11, layouttest.Channel("a"))
	check(2)
	compactAll(t, d, 0)
	check(2)
	if es, _ := os.ReadDir(filepath.Join(d.Dir(), layout.PublishedDir, "saved_session/Firefox/a/26.0a1")); len(es) != 1 {
		t.Errorf("the partition's folder holds %v", es)
	}
	if es, _ := os.ReadDir(filepath.Join(d.Dir(), layout.ReplacedDir)); len(es) != 0 {
		t.Errorf("%s holds %v", layout.ReplacedDir, es)
	}
}

func TestCompactCopiesFullFrames(t *testing.T) {
	d := layouttest.Open(t)
	add := func(source string) {
		w, err := d.NewWriter(source, layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 7 {
			if err := w.Add(layouttest.Partition, fmt.Appendf(nil, "%s-%d", source, i), []byte(strings.Repeat("x", 900_000))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		add(fmt.Sprintf("log.%d", i))
		compactAll(t, d, 0)
	}
	got := layouttest.ReadAll(t, d.Tree(), schema.All())
	if len(got) != 21 {
		t.Errorf("%d records, want 21", len(got))
	}
	segs, _ := d.Tree().Segments(t.Context(), schema.All())
	if len(segs) != 1 {
		t.Fatalf("%d segments", len(segs))
	}
	f, ix, err := d.Tree().Index(segs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	reader, err := ix.IDs(f)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := reader.Next(int(ix.Records))
	if err != nil || ids.Len() != 21 {
		t.Fatalf("%d IDs, %v", ids.Len(), err)
	}
	for i := range 21 { // in the order of the raw logs
		if id, _ := ids.At(i); id != segment.IDOf(fmt.Appendf(nil, "log.%d-%d", i/7, i%7)) {
			t.Errorf("record %d has the wrong ID", i)
		}
	}
}

// TestCompactKilledAtEveryChange: whatever the change at which compaction dies,
// readers see every record once, before the repair and after.
func TestCompactKilledAtEveryChange(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Hour} {
		step := 1
		if testing.Short() {
			step = 5
		}
		for n, completed := 0, false; !completed; n += step {
			d := layouttest.Open(t)
			var want []string
			for i := range 3 {
				want = append(want, layouttest.Publish(t, d, fmt.Sprintf("log.%d", i), 2, layouttest.Channel("a"), layouttest.Channel("b"))...)
			}
			slices.Sort(want)
			d.Folder().Hook = (&layouttest.Killer{Left: n}).Hook
			_, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Grace: grace, Now: testNow})
			d.Folder().Hook = nil
			if completed = err == nil; !completed && !errors.Is(err, layouttest.ErrKilled) {
				t.Fatalf("kill %d: %v", n, err)
			}
			for range 2 {
				if got := layouttest.ReadAll(t, d.Tree(), schema.All()); !slices.Equal(got, want) {
					t.Fatalf("kill %d: read %q, want %q", n, got, want)
				}
				compactAll(t, d, grace)
			}
			if segs, err := d.Tree().Segments(t.Context(), schema.All()); err != nil || len(segs) != 2 {
				t.Fatalf("kill %d: %d segments, %v", n, len(segs), err)
			}
		}
	}
}

// TestReadersDuringCompaction publishes and compacts while others list and read.
// Each reader sees, of each raw log, all records or none, and those published
// before it began.
func TestReadersDuringCompaction(t *testing.T) {
	d := layouttest.Open(t)
	const perLog = 3
	logs := 40
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
			compactAll(t, d, time.Hour)
		}
	}
	close(stop)
	wg.Wait()
}

func TestCompactSparesDamage(t *testing.T) {
	d := layouttest.Open(t)
	layouttest.Publish(t, d, "log.1", 5, layouttest.Channel("a"), layouttest.Channel("b"))
	layouttest.Publish(t, d, "log.2", 5, layouttest.Channel("a"), layouttest.Channel("b"))
	segs, _ := d.Tree().Segments(t.Context(), schema.All())
	if err := os.Truncate(filepath.Join(d.Dir(), segs[0].Path), segs[0].Size-1); err != nil {
		t.Fatal(err)
	}
	st, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Now: testNow})
	if c, ok := errors.AsType[*layout.CorruptError](err); !ok || c.Path != segs[0].Path || st.Partitions != 1 {
		t.Errorf("Compact = %+v, %v; want a *CorruptError of %s", st, err, segs[0].Path)
	}
	after, _ := d.Tree().Segments(t.Context(), schema.All())
	if len(after) != 3 || after[0].Path != segs[0].Path || after[1].Path != segs[1].Path {
		t.Errorf("segments %+v", after)
	}
	lock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All()}); !errors.Is(err, layout.ErrBusy) {
		t.Errorf("a second compaction: %v, want ErrBusy", err)
	}
}

// TestZstdReadsMergedSegments: the zstd program yields the lines of a merged
// segment, whether it compressed the frames or our package did.
func TestZstdReadsMergedSegments(t *testing.T) {
	tool, err := exec.LookPath("zstd")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, program := range []string{tool, ""} {
		d := layouttest.Open(t)
		for i := range 3 {
			w, err := d.NewWriter(fmt.Sprintf("log.%d", i), layout.WriterOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				if err := w.Add(layouttest.Partition, fmt.Appendf(nil, "id-%d-%d", i, n), bytes.Repeat([]byte("0123456789"), 90_000)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		options := CompactOptions{Filter: layouttest.Everything(), Now: testNow, Zstd: program}
		if _, err := In(d).Compact(t.Context(), options); err != nil {
			t.Fatal(err)
		}
		segs, err := d.Tree().Segments(t.Context(), schema.All())
		if err != nil || len(segs) != 1 {
			t.Fatal(segs, err)
		}
		want, err := layouttest.ReadSegment(d.Tree(), segs[0])
		if err != nil {
			t.Fatal(err)
		}
		got, err := exec.Command(tool, "-dc", filepath.Join(d.Dir(), segs[0].Path)).Output()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("by %q: zstd -dc gives %d bytes, %v; want %d", program, len(got), err, len(want))
		}
	}
}
