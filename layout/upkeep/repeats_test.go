package upkeep

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// TestRepeatsOfSeveralServers: of equal records of several raw logs one stays, in rows and
// in columns, also if it was compacted before; another record under the same ID stays.
func TestRepeatsOfSeveralServers(t *testing.T) {
	lines := func(from, to int, value string) (lines []string) {
		for i := from; i < to; i++ {
			lines = append(lines, fmt.Sprintf(`%08x-0000-4000-8000-000000000000	{"%s":%d}`, i, value, i))
		}
		return lines
	}
	compact := func(d *layout.Data, columns, drop bool) CompactStats {
		t.Helper()
		stats, err := In(d).Compact(t.Context(), CompactOptions{Filter: layouttest.Everything(), Now: testNow, Columns: columns, DropRepeats: drop})
		if err != nil {
			t.Fatal(err)
		}
		return stats
	}

	for _, columns := range []bool{false, true} {
		d := layouttest.Open(t)
		dims := layouttest.Channel("a")
		publishLines(t, d, "log.a.1.1380000000001", dims, lines(0, 50, "n"))
		publishLines(t, d, "log.b.1.1380000000002", dims, lines(40, 60, "n"))
		publishLines(t, d, "log.b.1.1380000000002", layouttest.Channel("b"), lines(0, 5, "n"))
		publishLines(t, d, "log.c.1.1380000000003", dims, lines(0, 3, "other"))
		stats := compact(d, columns, true)
		if stats.Repeated != 10 || stats.Records != 68 {
			t.Errorf("columns %v: %+v, want 10 repeats and 68 records", columns, stats)
		}
		want := lines(0, 60, "n")
		want = append(append(want, lines(0, 5, "n")...), lines(0, 3, "other")...)
		checkStore(t, d.Tree(), map[bool]int{false: 2, true: 1}[columns], want)

		// What comes after a compaction.
		publishLines(t, d, "log.c.1.1380000000004", dims, append(lines(55, 65, "n"), lines(0, 1, "other")...))
		if stats := compact(d, columns, true); stats.Repeated != 6 {
			t.Errorf("columns %v: %+v, want 6 repeats", columns, stats)
		}
		want = append(want, lines(60, 65, "n")...)
		checkStore(t, d.Tree(), map[bool]int{false: 2, true: 1}[columns], want)

		// Without the option all stay.
		publishLines(t, d, "log.a.1.1380000000005", dims, lines(0, 5, "n"))
		if stats := compact(d, columns, false); stats.Repeated != 0 {
			t.Errorf("columns %v: %+v, want no repeats", columns, stats)
		}
		checkStore(t, d.Tree(), map[bool]int{false: 2, true: 1}[columns], append(want, lines(0, 5, "n")...))
	}
}

// TestRepeatsOfColumnsThatStay: a record is left out if a segment that is not merged has it.
func TestRepeatsOfColumnsThatStay(t *testing.T) {
	d := layouttest.Open(t)
	dims := layouttest.Channel("a")
	line := func(n int) string { return fmt.Sprintf(`%08x-0000-4000-8000-000000000000	{"n":%d}`, n, n) }

	publishLines(t, d, "log.a.1.1380000000001", dims, []string{line(1), line(2)})
	compactColumns(t, d, 0)
	publishLines(t, d, "log.b.1.1380000000002", dims, []string{line(2), line(3)})

	// As if the segment were so large that it stays.
	place := In(d)
	compactor := compactor{t: place.tree, site: place.site, o: CompactOptions{Filter: layouttest.Everything(), Now: testNow, Columns: true, DropRepeats: true}}
	err := place.locked(t.Context(), func() error {
		all, err := compactor.t.List(t.Context(), compactor.o.Filter)
		if err != nil {
			return err
		}
		for i, seg := range all.Segments {
			if seg.InColumns() {
				all.Segments[i].Size = mergeColumnsBytes
			}
		}
		return compactor.compactDays(t.Context(), all.Segments, all.Hidden)
	})
	if err != nil || compactor.st.Repeated != 1 {
		t.Errorf("%+v, %v; want a repeat", compactor.st, err)
	}
	checkStore(t, d.Tree(), 2, []string{line(1), line(2), line(3)})
}

// TestLargePartitions: IDs and lines that go to files, because there are too many for memory,
// change no byte of what compaction makes.
func TestLargePartitions(t *testing.T) {
	// compact returns the files that are published, and how many files IDs went to.
	compact := func(columns bool, maxIDs int) (files map[string]string, spills int) {
		t.Helper()
		dir := t.TempDir()
		d, err := layout.OpenDataWith(dir, func(_ *os.Root, o backend.Op, name string) error {
			if o == backend.OpAppend && strings.HasPrefix(name, layout.CompactDir) && strings.HasSuffix(name, ".ids") {
				spills++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()

		// Every second record comes twice, in another raw log; in some, another comes between.
		for log := range 4 {
			for _, channel := range []string{"a", "b"} {
				var lines []string
				for i := range 300 {
					id := (log/2)*1000 + i
					if i%2 == 1 {
						id += 500 * (log%2 + 1)
					}
					lines = append(lines, fmt.Sprintf("%08x-0000-4000-8000-000000000000\t{\"n\":%d}", id, i))
				}
				publishLines(t, d, fmt.Sprintf("log.a.1.138000000000%d", log), layouttest.Channel(channel), lines)
			}
		}

		stats, err := In(d).Compact(t.Context(), CompactOptions{
			Filter: layouttest.Everything(), Now: testNow, Columns: columns, DropRepeats: true, MaxIDs: maxIDs,
		})
		if err != nil {
			t.Fatal(err)
		}
		if stats.Repeated != 600 || stats.Records != 1800 {
			t.Errorf("columns %v, %d IDs in memory: %+v", columns, maxIDs, stats)
		}
		left, err := os.ReadDir(filepath.Join(dir, layout.StateDir))
		if err != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return e.Name() == "lines" || strings.HasPrefix(e.Name(), "latest-") }) {
			t.Errorf("files are left: %v, %v", left, err)
		}
		return readFiles(t, filepath.Join(dir, layout.PublishedDir)), spills
	}

	for _, columns := range []bool{false, true} {
		want, _ := compact(columns, 0)
		for _, maxIDs := range []int{1, 7, 100} {
			got, spills := compact(columns, maxIDs)
			if !maps.Equal(got, want) {
				t.Errorf("columns %v, %d IDs in memory: other bytes", columns, maxIDs)
			}
			if !columns && spills == 0 {
				t.Errorf("%d IDs in memory: none went to files", maxIDs)
			}
		}
	}
}

// readFiles returns the content of all files below a folder.
func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var text []byte
			text, err = os.ReadFile(filepath.Join(dir, name))
			files[name] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestFilterOfRepeats: a merged segment from which repeats were left out still says which
// clients it has.
func TestFilterOfRepeats(t *testing.T) {
	d := layouttest.Open(t)
	lines := []string{`00000001-0000-4000-8000-000000000000	{"clientId":"00000001-aaaa-4000-8000-000000000000"}`}
	publishLines(t, d, "log.a.1.1380000000001", layouttest.Channel("a"), lines)
	publishLines(t, d, "log.b.1.1380000000002", layouttest.Channel("a"), lines)
	if _, err := In(d).Compact(t.Context(), CompactOptions{Filter: layouttest.Everything(), Now: testNow, DropRepeats: true}); err != nil {
		t.Fatal(err)
	}
	segments, err := d.Tree().Segments(t.Context(), layouttest.Everything())
	if err != nil || len(segments) != 1 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	if filter, err := d.Tree().Clients(segments[0]); filter == nil || err != nil {
		t.Errorf("no filter, %v", err)
	}
}

// BenchmarkCompactSmallRecords merges four raw logs of 100,000 small records, a quarter of
// which come twice: where IDs take much of the time.
func BenchmarkCompactSmallRecords(b *testing.B) {
	for _, drop := range []bool{false, true} {
		b.Run(fmt.Sprintf("drop-repeats=%v", drop), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				d := layouttest.Open(b)
				for log := range 4 {
					var lines []string
					for i := range 100_000 {
						lines = append(lines, fmt.Sprintf("%08x-0000-4000-8000-000000000000\t{\"n\":%d}", log*75_000+i, i%7))
					}
					publishLines(b, d, fmt.Sprintf("log.a.1.138000000000%d", log), layouttest.Channel("a"), lines)
				}
				b.StartTimer()
				if _, err := In(d).Compact(b.Context(), CompactOptions{Filter: layouttest.Everything(), Now: testNow, DropRepeats: drop}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
