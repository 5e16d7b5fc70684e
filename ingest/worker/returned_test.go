package worker

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
	"github.com/aitgithub/telemetry-server/revisions"
)

// TestRawLogThatWasCopiedWhileItWasWritten: older and newer copies of one raw log come
// into raw/, in any order, beside what was made of others of them, compacted or not.
// Each submission is stored once: published, in quarantine, or in a raw log that waits
// for definitions.
func TestRawLogThatWasCopiedWhileItWasWritten(t *testing.T) {
	// Of seven submissions one is published, one quarantined and one waits, by turns.
	text := rawlog.AppendHead(nil, 7)
	var ends []int
	want := map[string]int{}
	for i := range 9 {
		id := fmt.Sprintf("id%d", i)
		body := ingesttest.Ping(``)
		switch i % 3 {
		case 1:
			body = "no JSON"
		case 2:
			body = unavailablePing
		}
		text = rawlog.AppendEntry(text, &rawlog.Submission{Path: id, Body: []byte(body), Time: time.UnixMilli(int64(1391385600000 + i))}, 7)
		ends = append(ends, len(text))
		want[id] = 1
	}

	for _, order := range [][]int{{8, 3}, {3, 8}, {8, 8}, {2, 5, 8}, {8, 5, 2}, {5, 8, 2, 8, 5}, {0, 8, 1}} {
		for _, compact := range []string{"", "rows", "columns"} {
			data, err := layout.OpenData(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer data.Close()
			w := newWorker(data, definitions(t), nil)
			comesBack := func(last int) {
				t.Helper()
				raw := filepath.Join(data.Dir(), layout.RawDir, "telemetry.log.v3.host.1.1391385600000")
				if err := os.WriteFile(raw, text[:ends[last]], 0o644); err != nil {
					t.Fatal(err)
				}
				if _, err := w.ConvertLog(t.Context(), filepath.Base(raw)); err != nil && !errors.Is(err, revisions.ErrUnavailable) {
					t.Fatal(err)
				}
				if compact == "" {
					return
				}
				options := upkeep.CompactOptions{Filter: layouttest.Everything(), Columns: compact == "columns"}
				if _, err := upkeep.In(data).Compact(t.Context(), options); err != nil {
					t.Fatal(err)
				}
			}
			requireOnce := func(when string) {
				t.Helper()
				if got := stored(t, data); !maps.Equal(got, want) {
					t.Errorf("order %v, compacted %q, %s: stored %v, want %v", order, compact, when, got, want)
				}
			}

			for _, last := range order {
				comesBack(last)
			}
			requireOnce("definitions missing")

			// The definitions come, and then the raw log once more.
			w = newWorker(data, available{definitions(t)}, nil)
			for _, name := range rawLogs(t, data) {
				if _, err := w.ConvertLog(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			requireOnce("definitions there")
			comesBack(8)
			requireOnce("and again")
		}
	}
}

// stored counts, by ID, the records, the quarantined submissions, and those in raw/.
func stored(t *testing.T, data *layout.Data) map[string]int {
	t.Helper()
	got := map[string]int{}
	for _, line := range layouttest.ReadAll(t, data.Tree(), layouttest.Everything()) {
		id, _, _ := strings.Cut(line, "\t")
		got[id]++
	}

	for _, name := range rawLogs(t, data) {
		file, err := data.Root().Open(layout.RawDir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		entries := rawlog.NewReader(file, rawlog.Version)
		for submission, err := entries.Next(); err == nil; submission, err = entries.Next() {
			got[submission.Path]++
		}
		file.Close()
	}
	return got
}
