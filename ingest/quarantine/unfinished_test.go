package quarantine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// openWithRepeats opens a data folder with the index of repeats.
func openWithRepeats(t *testing.T, dir string) *layout.Data {
	t.Helper()
	data, err := layout.OpenData(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close() })
	data.DropRepeats(3)
	return data
}

// TestReplayDiesBeforeItsCommit: a replay has recorded its submissions as received when its
// process ends. Compaction then merges the segment with another one, so that the next
// replay has another name. It publishes what the first one did not.
func TestReplayDiesBeforeItsCommit(t *testing.T) {
	data := ingesttest.DataWith(t, "id1", ingesttest.Ping(`"FLAG":{"values":{"9":1}}`))
	data.DropRepeats(3)
	quarantineAll(t, data, 1)
	second := rawlog.AppendEntry(rawlog.AppendHead(nil, 7), &rawlog.Submission{
		Path: "id2", Body: []byte(ingesttest.Ping(`"FLAG":{"values":{"8":1}}`)), Time: ingesttest.Submission().Time,
	}, 7)
	name := "telemetry.log.v4.host.2.1378857540000.finished"
	if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), second, 0o644); err != nil {
		t.Fatal(err)
	}
	w := worker.New(data, worker.Options{Definitions: definitions(t, ingesttest.DefinitionsText), Convert: convert.DefaultOptions()})
	if _, err := w.ConvertLog(t.Context(), name); err != nil {
		t.Fatal(err)
	}

	// The copy is what the process leaves that ends before its commit file.
	var left string
	data.Folder().Hook = func(_ *os.Root, _ backend.Op, name string) error {
		if left == "" && strings.HasSuffix(name, backend.CommitFile+".tmp") {
			left = t.TempDir()
			return os.CopyFS(left, os.DirFS(data.Dir()))
		}
		return nil
	}
	conversion := decide.NewConversion(definitions(t, widerDefinitions), convert.DefaultOptions(), nil)
	if _, err := quarantine.Replay(t.Context(), data, conversion, "", false); err != nil {
		t.Fatal(err)
	}

	after := openWithRepeats(t, left)
	before := quarantined(t, after)
	if _, err := upkeep.In(after).Compact(t.Context(), upkeep.CompactOptions{Filter: layouttest.Everything()}); err != nil {
		t.Fatal(err)
	}
	if segments, err := quarantine.Segments(t.Context(), after.Tree(), ""); err != nil || len(before) != 2 || len(segments) != 1 {
		t.Fatalf("%d submissions in %d segments, %v; want 2 in 1", len(before), len(segments), err)
	}
	if n := replay(t, after, widerDefinitions, "", false); n.Records != 2 || n.Repeated != 0 {
		t.Errorf("%+v, want 2 records", n)
	}
	if notes, _ := os.ReadDir(filepath.Join(left, layout.AttemptsDir)); len(notes) > 0 {
		t.Errorf("left behind: %v", notes)
	}
}

// quarantineEach is an ingest filter.
type quarantineEach struct{}

func (q quarantineEach) NewDecider(context.Context) decide.Decider   { return q }
func (quarantineEach) Close()                                        {}
func (q quarantineEach) IngestFilter() (decide.DeciderSource, error) { return q, nil }
func (quarantineEach) Decide(schema.Dims, []byte, []byte) (decide.Decision, error) {
	return decide.Decision{Action: decide.Quarantine, Reason: "a mistake"}, nil
}

// TestFilterChangesAfterADeath: a conversion has recorded what it received when its
// process ends. The next one has a filter that quarantines. The replay without that filter
// publishes the submission, because it never was published.
func TestFilterChangesAfterADeath(t *testing.T) {
	data := ingesttest.DataWith(t, "id1", ingesttest.Ping(``))
	data.DropRepeats(3)
	var left string
	data.Folder().Hook = func(_ *os.Root, _ backend.Op, name string) error {
		if left == "" && strings.HasSuffix(name, backend.CommitFile+".tmp") {
			left = t.TempDir()
			return os.CopyFS(left, os.DirFS(data.Dir()))
		}
		return nil
	}
	options := worker.Options{Definitions: definitions(t, ingesttest.DefinitionsText), Convert: convert.DefaultOptions()}
	if _, err := worker.New(data, options).ConvertLog(t.Context(), ingesttest.RawLogName); err != nil {
		t.Fatal(err)
	}

	after := openWithRepeats(t, left)
	options.Filters = quarantineEach{}
	got, err := worker.New(after, options).ConvertLog(t.Context(), ingesttest.RawLogName)
	if err != nil || got.AllQuarantined() != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if n := replay(t, after, ingesttest.DefinitionsText, convert.ClassFilter, false); n.Records != 1 || n.Repeated != 0 {
		t.Errorf("%+v, want 1 record", n)
	}
}
