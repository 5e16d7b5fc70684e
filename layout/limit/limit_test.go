package limit

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// testIndex returns an index in an empty folder.
func testIndex(t *testing.T) *Index {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return NewIndex(root, "limits/admitted.bolt", slog.New(slog.DiscardHandler))
}

// convert decides about the values of a raw log, and records them if it is committed. It
// returns the values that were admitted.
func convert(t *testing.T, x *Index, rawLog string, l Limit, committed bool, values ...string) (admitted []string) {
	t.Helper()
	limiter, err := x.Limiter(rawLog)
	if err != nil {
		t.Fatal(err)
	}

	for _, value := range values {
		ok, err := limiter.Admit("what", "20260901", value, l)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			admitted = append(admitted, value)
		}
	}
	if committed {
		if err := limiter.Record(); err != nil {
			t.Fatal(err)
		}
	}
	return admitted
}

// TestLimits follows raw logs through an index. A step that comes again, after a crash or
// because a raw log is imported again, decides what it decided before.
func TestLimits(t *testing.T) {
	x := testIndex(t)
	limit := Limit{PerLog: 2, PerDay: 5}

	for i, tt := range []struct {
		rawLog    string
		values    []string
		abandoned bool
		want      []string
	}{
		{rawLog: "log.1", values: []string{"a", "b", "a", "c", "b"}, want: []string{"a", "b", "a", "b"}},
		{rawLog: "log.2", values: []string{"c", "a"}, abandoned: true, want: []string{"c", "a"}},
		{rawLog: "log.3", values: []string{"c", "d", "e"}, want: []string{"c", "d"}},
		{rawLog: "log.1.finished", values: []string{"a", "b", "a", "c", "b"}, want: []string{"a", "b", "a", "b"}}, // c is known by now
		{rawLog: "log.2", values: []string{"c", "e", "a", "f"}, want: []string{"c", "e", "a"}},
		{rawLog: "log.4", values: []string{"f", "e", "d"}, want: []string{"e", "d"}}, // the day is full
		{rawLog: "log.2", values: []string{"c", "e", "a", "f"}, want: []string{"c", "e", "a"}},
		{rawLog: "log.3", values: []string{"c", "d", "e"}, want: []string{"c", "d"}},
		{rawLog: "log.4", values: []string{"f", "e", "d"}, want: []string{"e", "d"}},
	} {
		got := convert(t, x, tt.rawLog, limit, !tt.abandoned, tt.values...)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("step %d, %s: admitted %q, want %q", i, tt.rawLog, got, tt.want)
		}
	}
}

// TestNoLimit: without a limit nothing is recorded, and no file is made for it.
func TestNoLimit(t *testing.T) {
	x := testIndex(t)
	if got := convert(t, x, "log.1", Limit{}, true, "a", "b"); len(got) != 2 {
		t.Errorf("admitted %q", got)
	}
	if got := convert(t, x, "log.2", Limit{PerDay: 1}, true, "a", "b"); len(got) != 1 {
		t.Errorf("admitted %q: values without a limit are not counted", got)
	}
}

// TestAtTheSameTime converts two raw logs at once: neither sees the other, now and later.
func TestAtTheSameTime(t *testing.T) {
	x := testIndex(t)
	limit := Limit{PerLog: 1}
	one, err := x.Limiter("one")
	if err != nil {
		t.Fatal(err)
	}
	if got := convert(t, x, "two", limit, true, "a", "b"); len(got) != 1 {
		t.Errorf("two: admitted %q", got)
	}
	for _, want := range []struct {
		value string
		ok    bool
	}{{"b", true}, {"a", false}} {
		if ok, err := one.Admit("what", "20260901", want.value, limit); ok != want.ok || err != nil {
			t.Errorf("one: %s: %v, %v", want.value, ok, err)
		}
	}
	if err := one.Record(); err != nil {
		t.Fatal(err)
	}

	if got := convert(t, x, "one", limit, true, "b", "a"); !reflect.DeepEqual(got, []string{"b"}) {
		t.Errorf("one again: admitted %q", got)
	}
}

// TestExpire: a day that is idle goes, and then a raw log that came long ago.
func TestExpire(t *testing.T) {
	x := testIndex(t)
	now := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	x.now = func() time.Time { return now }
	limit := Limit{PerDay: 1}
	convert(t, x, "old", limit, true, "a")

	// Another day's raw log comes in time, and then much later.
	for _, days := range []int{idleDays, sourceDays} {
		now = now.AddDate(0, 0, days)
		other, err := x.Limiter(fmt.Sprint("other", days))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Admit("what", schema.DateOf(now), "x", limit); err != nil {
			t.Fatal(err)
		}
		if err := other.Record(); err != nil {
			t.Fatal(err)
		}
	}
	if got := convert(t, x, "late", limit, true, "b"); len(got) != 1 {
		t.Error("an idle day is still full")
	}
}

// TestExcess compares the most frequent of many values with their counts.
func TestExcess(t *testing.T) {
	var e Excess
	for i := range 100_000 {
		e.add(fmt.Sprint("once", i))
		if i%10 == 0 {
			e.add("often")
		}
	}

	listed := e.list()
	var total int64
	for _, n := range listed {
		total += n
	}
	if total != 110_000 || len(listed) > maxListed+1 || len(e.candidates) > maxCandidates {
		t.Errorf("%d values listed of %d candidates, %d in all", len(listed), len(e.candidates), total)
	}
	if n := listed["often"]; n < 10_000-110_000/maxCandidates || n > 10_000 {
		t.Errorf("often: %d of 10000", n)
	}
}
