package layout_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// receive converts a raw log of these bodies, all under one ID, and returns how
// many were published.
func receive(t testing.TB, d *layout.Data, source string, at time.Time, bodies ...string) int {
	t.Helper()
	w, err := d.NewWriter(source, layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	n := 0
	for _, b := range bodies {
		again, err := w.Repeated([]byte("id"), []byte(b), at)
		if err != nil {
			t.Error(err)
		}
		if again {
			continue
		}
		n++
		if err := w.Add(layouttest.Partition, []byte("id"), []byte(b)); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil && !errors.Is(err, layouttest.ErrKilled) {
		t.Error(err)
	}
	return n
}

func TestRepeated(t *testing.T) {
	d := layouttest.Open(t)
	d.DropRepeats(3)
	day := func(n int) time.Time { return time.Date(2013, 9, n, 23, 0, 0, 0, time.UTC) }
	for i, tt := range []struct {
		source string
		day    int
		bodies []string
		want   int
	}{
		{"log.1", 10, []string{"1", "2", "1"}, 2},
		{"log.1", 10, []string{"1", "2", "1"}, 2}, // converted again: not its own repeat
		{"log.2", 11, []string{"1", "3"}, 1},
		{"log.3", 13, []string{"1", "3"}, 0},
		{"log.4", 14, []string{"1", "3"}, 1}, // 1 was received four days ago
		{"log.5", 17, []string{"1"}, 0},
		{"log.6", 30, []string{"1"}, 1},
	} {
		if got := receive(t, d, tt.source, day(tt.day), tt.bodies...); got != tt.want {
			t.Errorf("step %d: %d published, want %d", i, got, tt.want)
		}
	}
	// A commit that fails takes back what it remembered: perhaps nobody tries again.
	d.Folder().Hook = func(_ *os.Root, o backend.Op, name string) error {
		if o == backend.OpRename {
			return layouttest.ErrKilled
		}
		return nil
	}
	receive(t, d, "log.7", day(30), "x")
	d.Folder().Hook = nil
	if got := receive(t, d, "log.8", day(30), "x"); got != 1 {
		t.Errorf("%d published after a failed commit, want 1", got)
	}
	if got := receive(t, d, "log.7", day(30), "x"); got != 0 {
		t.Errorf("%d published by the second try, want none: log.8 has it", got)
	}
}

func TestRepeatedByConcurrentWriters(t *testing.T) {
	d := layouttest.Open(t)
	d.DropRepeats(3)
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for i := range 8 {
		wg.Go(func() {
			n := receive(t, d, fmt.Sprintf("log.%d", i), time.Date(2013, 9, 20, 12, 0, 0, 0, time.UTC), "a", "b", "c", "d")
			mu.Lock()
			total += n
			mu.Unlock()
		})
	}
	wg.Wait()
	if total != 4 {
		t.Errorf("%d published, want 4", total)
	}
}

// BenchmarkRepeated asks for submissions of 30 kB that are new, with those of
// former raw logs in the file, and remembers them: ids/s.
func BenchmarkRepeated(b *testing.B) {
	d := layouttest.Open(b)
	d.DropRepeats(3)
	body := make([]byte, 30_000)
	n := 0
	log := func(records int) {
		w, err := d.NewWriter(fmt.Sprintf("log.%d", n), layout.WriterOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for range records {
			n++
			if again, err := w.Repeated(fmt.Appendf(nil, "id-%d", n), body, time.Date(2013, 9, 20, 12, 0, 0, 0, time.UTC)); err != nil || again {
				b.Fatal(again, err)
			}
		}
		if _, err := w.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	log(200_000)
	const perLog = 20_000
	start := time.Now()
	logs := 0
	for b.Loop() {
		log(perLog)
		logs++
	}
	b.ReportMetric(float64(logs*perLog)/time.Since(start).Seconds(), "ids/s")
}
