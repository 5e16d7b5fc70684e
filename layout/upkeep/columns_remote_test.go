package upkeep

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
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

// TestColumnsInObjectStore: compaction makes columns in a real S3 server too, rows and
// columns are read from there, and a column that is touched costs its own bytes and the
// index.
func TestColumnsInObjectStore(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	var answered atomic.Int64
	url := versityGateway(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "."+columns.Extension) {
				w = countedWriter{w, &answered}
			}
			next.ServeHTTP(w, r)
		})
	})
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

	// One column of it, by a reader who knows nothing yet.
	fresh, err := layout.OpenTree(url)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	answered.Store(0)
	reader, err := fresh.Open(segs[0], 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	index := answered.Load()
	records := 0
	for {
		block, err := reader.NextBlock()
		if err != nil {
			break
		}
		for _, row := range block.Rows {
			info := block.Group.Child(0, "info")
			if _, text, err := block.Group.Kind(int(row), block.Group.Child(info, "OS")); err != nil || text == nil {
				t.Fatalf("%s, %v", text, err)
			}
			records++
		}
	}
	column := answered.Load() - index
	if records != len(want) || column <= 0 || column > 1000 || index > segs[0].Size/2 {
		t.Errorf("%d records; the index took %d bytes and the column %d of %d", records, index, column, segs[0].Size)
	}
}
