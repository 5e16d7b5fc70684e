package worker

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// takeRawLog removes the raw log of a data folder and returns its text.
func takeRawLog(t *testing.T, data *layout.Data) []byte {
	t.Helper()
	file := filepath.Join(data.Dir(), layout.RawDir, name)
	text, err := os.ReadFile(file)
	if err := errors.Join(err, os.Remove(file)); err != nil {
		t.Fatal(err)
	}
	return text
}

// importText imports a raw log with that text.
func importText(t *testing.T, w *Worker, text []byte) Stats {
	t.Helper()
	s, err := w.ImportFile(t.Context(), File{Content: bytes.NewReader(text), Name: "elsewhere", Version: rawlog.VersionAuto})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestImportWaitsForDefinitions imports a raw log of which a part has to wait, again
// and again: every submission is published once.
func TestImportWaitsForDefinitions(t *testing.T) {
	data := ingesttest.DataWith(t, "id1", ingesttest.Ping(``), "id2", unavailablePing, "id3", "{}")
	text := takeRawLog(t, data)
	down := newWorker(data, definitions(t), nil)
	back := newWorker(data, available{definitions(t)}, nil)

	if got := importText(t, down, text); got.Records != 1 || got.Waiting != 1 || got.AllQuarantined() != 1 {
		t.Errorf("at first: %+v", got)
	}
	if got := importText(t, back, text); got.Repeated != 3 || got.Records != 0 {
		t.Errorf("while a part waits: %+v", got)
	}

	logs := rawLogs(t, data)
	if len(logs) != 1 {
		t.Fatalf("raw logs %v", logs)
	}
	got, err := back.ConvertLog(t.Context(), logs[0])
	if err != nil || got.Records != 1 {
		t.Errorf("what waited: %+v, %v", got, err)
	}
	if got := importText(t, back, text); got.Repeated != 3 || got.Records != 0 {
		t.Errorf("when nothing waits: %+v", got)
	}
	// What compaction does to the statistics changes nothing.
	if _, err := statistics.Merge(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	if got := importText(t, back, text); got.Repeated != 3 || got.Records != 0 {
		t.Errorf("after the merge of statistics: %+v", got)
	}

	lines := strings.Join(ingesttest.Lines(t, data, schema.All()), "\n")
	if strings.Count(lines, "\tid1\t") != 1 || strings.Count(lines, "\tid2\t") != 1 || strings.Count(lines, "\n") != 1 {
		t.Errorf("published %s", lines)
	}
}

// TestImportAgain imports a raw log with one filter after the other: the outcome takes
// the place of what was published before.
func TestImportAgain(t *testing.T) {
	data := ingesttest.DataWith(t, submissions(5, "keep", "other")...)
	text := takeRawLog(t, data)
	drop := decide.Decision{Action: decide.Drop, Reason: "x"}
	aside := decide.Decision{Action: decide.Quarantine, Reason: "x"}

	for _, step := range []struct {
		name        string
		keep, other decide.Decision
		records     int
		dropped     int64
		quarantined int64
	}{
		{name: "all", records: 10},
		{name: "all again", records: 10},
		{name: "none", keep: drop, other: drop, dropped: 10},
		{name: "aside", keep: aside, other: aside, quarantined: 10},
		{name: "some", other: aside, records: 5, quarantined: 5},
		{name: "all in the end", records: 10},
	} {
		filter := &byID{decide: func(id string) (decide.Decision, error) {
			if strings.HasPrefix(id, "other") {
				return step.other, nil
			}
			return step.keep, nil
		}}
		importText(t, newWorker(data, definitions(t), filter), text)

		dropped := int64(0)
		for rawLog, err := range statistics.All(data.Root(), data.Log()) {
			if err != nil {
				t.Fatal(err)
			}
			dropped += rawLog.Filtered["x"]
		}
		records := len(ingesttest.Lines(t, data, schema.All()))
		quarantined := countQuarantined(t, data)
		if records != step.records || dropped != step.dropped || quarantined != step.quarantined {
			t.Errorf("%s: %d records, %d dropped, %d quarantined", step.name, records, dropped, quarantined)
		}

		// The statistics may be merged between any two of them.
		if _, err := statistics.Merge(t.Context(), data); err != nil {
			t.Fatal(err)
		}
	}
}

// countQuarantined counts the submissions in the quarantine.
func countQuarantined(t *testing.T, data *layout.Data) (n int64) {
	t.Helper()
	segments, err := quarantine.Segments(t.Context(), data.Tree(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, segment := range segments {
		info, err := data.Tree().Info(segment)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Records
	}
	return n
}

// TestImportSource checks that the content alone names what is published.
func TestImportSource(t *testing.T) {
	one, err := contentSource(strings.NewReader("one"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := contentSource(strings.NewReader("one"))
	if err != nil || again != one || one != "import.7692c3ad3540bb803c020b3a" {
		t.Errorf("%s, %s, %v", one, again, err)
	}
	two, err := contentSource(strings.NewReader("two"))
	if err != nil || two == one {
		t.Errorf("%s, %v", two, err)
	}
}
