package upkeep

import (
	"fmt"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
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
