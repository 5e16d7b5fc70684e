package upkeep

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// countedWriter counts the bytes of answers.
type countedWriter struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (w countedWriter) Write(b []byte) (int, error) {
	w.bytes.Add(int64(len(b)))
	return w.ResponseWriter.Write(b)
}

// countingGateway is a real S3 server, with the count of the bytes that it has sent of
// segments in columns.
func countingGateway(t *testing.T) (url string, answered *atomic.Int64) {
	answered = new(atomic.Int64)
	url = versityGateway(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "."+columns.Extension) {
				w = countedWriter{w, answered}
			}
			next.ServeHTTP(w, r)
		})
	})
	return url, answered
}

// TestColumnsInObjectStore: compaction makes columns in a real S3 server too, rows and
// columns are read from there, and a column that is touched costs its own bytes and the
// index.
func TestColumnsInObjectStore(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	url, answered := countingGateway(t)
	d := layouttest.Open(t)
	if err := d.PublishTo(url); err != nil {
		t.Fatal(err)
	}
	var want []string
	for log := range 3 {
		var lines []string
		for i := range 400 {
			lines = append(lines, fmt.Sprintf(`%d-%d	{"info":{"OS":"Linux"},"blob":"%x%x"}`, log, i, i*7919, i*104729*(log+1)))
		}
		publishLines(t, d, fmt.Sprintf("log.%d", log), layouttest.Channel(fmt.Sprint(log)), lines)
		want = append(want, lines...)
	}

	// From rows to columns, and once more with late rows.
	place, err := Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	tree, err := layout.OpenTree(url)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	compact := func(now time.Time) {
		t.Helper()
		if _, err := place.Compact(t.Context(), CompactOptions{Filter: schema.All(), Grace: time.Hour, Now: now, Columns: true}); err != nil {
			t.Fatal(err)
		}
	}
	compact(testNow)
	checkStore(t, tree, 1, want)
	publishLines(t, d, "late", layouttest.Channel("9"), []string{`late	{"info":{"OS":"WINNT"},"blob":""}`})
	want = append(want, `late	{"info":{"OS":"WINNT"},"blob":""}`)
	checkStore(t, tree, 2, want)
	compact(testNow.Add(2 * time.Hour))
	segs := checkStore(t, tree, 1, want)

	index, column := readOneField(t, url, segs[0], answered, len(want))
	if column > 1000 || index > segs[0].Size/2 {
		t.Errorf("the index took %d bytes and the column %d of %d", index, column, segs[0].Size)
	}
}

// readOneField reads info.OS of all records, as a reader who knows nothing yet, and returns the
// bytes that the server has sent for it: to open the segment, and after that.
func readOneField(t *testing.T, url string, seg layout.Segment, answered *atomic.Int64, want int) (index, column int64) {
	t.Helper()
	fresh, err := layout.OpenTree(url)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	answered.Store(0)
	reader, err := fresh.Open(seg, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	index = answered.Load()

	records := 0
	for {
		block, err := reader.NextBlock()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range block.Rows {
			info := block.Group.Child(0, "info")
			if _, text, err := block.Group.Kind(int(row), block.Group.Child(info, "OS")); err != nil || text == nil {
				t.Fatalf("%s, %v", text, err)
			}
			records++
		}
	}
	column = answered.Load() - index
	if records != want || column <= 0 {
		t.Errorf("%d records, %d bytes", records, column)
	}
	return index, column
}

// TestOneFieldOfRealPings: of records as Firefox sends them, one field takes less than a
// thousandth of the segment. The index takes the same whether there are 600 or 8,000 of them: of
// 2,000 it and the field took 0.7 %.
func TestOneFieldOfRealPings(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	url, answered := countingGateway(t)
	d := layouttest.Open(t)
	if err := d.PublishTo(url); err != nil {
		t.Fatal(err)
	}
	const records = 600
	w, err := d.NewWriter("log", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for r := range layouttest.Varied(t, records) {
		if err := w.Add(layouttest.Partition, r.ID, r.JSON); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	place, err := Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	if _, err := place.Compact(t.Context(), CompactOptions{Filter: schema.All(), Now: testNow, Columns: true}); err != nil {
		t.Fatal(err)
	}
	tree, err := layout.OpenTree(url)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	segs, err := tree.Segments(t.Context(), schema.All())
	if err != nil || len(segs) != 1 {
		t.Fatal(segs, err)
	}

	index, column := readOneField(t, url, segs[0], answered, records)
	t.Logf("of %d bytes: the index %d, the field %d", segs[0].Size, index, column)
	if 1000*column > segs[0].Size || 1000*index > 30*segs[0].Size {
		t.Errorf("the index took %d bytes and the field %d of %d", index, column, segs[0].Size)
	}
}

// TestColumnsKilledAtEveryRemoteChange: at every change of an object store a reader sees each
// record once, and the next compaction completes what was begun.
func TestColumnsKilledAtEveryRemoteChange(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 3
	}
	for _, grace := range []time.Duration{0, time.Hour} {
		for n, completed := 0, false; !completed; n += step {
			var left atomic.Int64
			left.Store(1 << 30)
			url := backendtest.S3(t, &backendtest.Faults{Wrap: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					// The lock would have to expire first.
					change := r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.Contains(r.URL.Path, layout.LockDir)
					if change && left.Add(-1) < 0 {
						http.Error(w, "killed", http.StatusForbidden)
						return
					}
					next.ServeHTTP(w, r)
				})
			}})
			d := layouttest.Open(t)
			if err := d.PublishTo(url); err != nil {
				t.Fatal(err)
			}
			want := layouttest.Publish(t, d, "log.1", 2, layouttest.Channel("a"), channelOn("b", "20130801"))
			compactColumns(t, d, 0)
			want = append(want, layouttest.Publish(t, d, "late", 2, layouttest.Channel("a"), layouttest.Channel("c"))...)
			slices.Sort(want)

			left.Store(int64(n))
			_, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Grace: grace, Now: testNow, Columns: true})
			completed = err == nil
			left.Store(1 << 30)
			for range 2 {
				if got := layouttest.ReadAll(t, d.Tree(), schema.All()); !slices.Equal(got, want) {
					t.Fatalf("kill %d: read %q, want %q", n, got, want)
				}
				compactColumns(t, d, grace)
			}
			checkStore(t, d.Tree(), 2, want)
		}
	}
}
