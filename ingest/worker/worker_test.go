package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// newWorker returns a Worker with these definitions and that filter, or none.
func newWorker(data *layout.Data, definitions convert.Definitions, filter decide.DeciderSource) *Worker {
	return New(data, Options{
		Definitions: definitions,
		Convert:     convert.DefaultOptions(),
		Filters:     oneFilter{filter},
	})
}

// oneFilter is Filters that do not change.
type oneFilter struct{ filter decide.DeciderSource }

func (f oneFilter) IngestFilter() (decide.DeciderSource, error) { return f.filter, nil }

// definitions returns the definitions of ingesttest: for every revision but those that
// are missing or unavailable there.
func definitions(t testing.TB) convert.Definitions {
	t.Helper()
	spec, err := revisions.Parse([]byte(ingesttest.DefinitionsText))
	if err != nil {
		t.Fatal(err)
	}
	return ingesttest.Definitions{Always: spec}
}

// available is definitions of which none is missing or unavailable any more.
type available struct{ convert.Definitions }

func (a available) Spec(ctx context.Context, _ revisions.Ref) (*revisions.Spec, error) {
	return a.Definitions.Spec(ctx, revisions.Ref{})
}

// unavailablePing is a ping whose definitions are not available.
var unavailablePing = strings.Replace(ingesttest.Ping(``), "0123456789ab", "503503503503", 1)

// rawLogs lists the names in raw/.
func rawLogs(t testing.TB, data *layout.Data) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(data.Dir(), layout.RawDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

const (
	name     = ingesttest.RawLogName
	goodPath = "id1/idle-daily/Firefox/23.0.1/release/2013"
)

func TestConvertLog(t *testing.T) {
	badPing := ingesttest.Ping(`"FLAG":{"values":{"9":1}}`)
	data := ingesttest.DataWith(t,
		goodPath, ingesttest.Ping(`"FLAG":{"values":{"0":1}},"NO":{}`),
		"id2", ingesttest.Ping(``),
		"id3/saved-session/Fennec/23.0.1/release/2013", ingesttest.Ping(``),
		"id4", badPing,
		"id5", "\x1f\x8bnot gzip",
		"a/b", "{}",
	)
	got, err := newWorker(data, definitions(t), nil).ConvertLog(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}

	if got.Submissions != 6 || got.Records != 3 || got.AllQuarantined() != 3 || got.BytesLost != 0 {
		t.Errorf("%+v", got)
	}
	for class, want := range map[string]int64{convert.ClassBadPayload: 1, convert.ClassCorrupt: 1, convert.ClassPath: 1} {
		if got.Quarantined[class] != want {
			t.Errorf("%d quarantined as %s, want %d", got.Quarantined[class], class, want)
		}
	}
	wantMismatched := [schema.NumDims]int64{schema.Reason: 1, schema.AppName: 1}
	if got.Mismatched != wantMismatched || got.Dropped[histogram.Drop{Name: "NO", Reason: histogram.DropUnknown}] != 1 {
		t.Errorf("%+v", got)
	}

	want := []string{
		"idle_daily/Firefox/release/23.0.1/2013/20130910\tid1\t" + ingesttest.Converted(`"FLAG":[1,0,0,-1,-1,-1,-1,-1]`),
		"idle_daily/Firefox/release/23.0.1/2013/20130910\tid2\t" + ingesttest.Converted(``),
		"idle_daily/Firefox/release/23.0.1/2013/20130910\tid3\t" + ingesttest.Converted(``),
	}
	if lines := ingesttest.Lines(t, data, schema.All()); !slices.Equal(lines, want) {
		t.Errorf("published %q, want %q", lines, want)
	}
	if left := rawLogs(t, data); len(left) > 0 {
		t.Errorf("raw logs %v are left", left)
	}
	requireQuarantined(t, data, badPing)
}

// requireQuarantined checks how id4 of TestConvertLog, with that ping, is quarantined.
func requireQuarantined(t *testing.T, data *layout.Data, ping string) {
	t.Helper()
	everything := schema.All()
	everything.IncludeQuarantined = true
	for _, line := range ingesttest.Lines(t, data, everything) {
		parts := strings.SplitN(line, "\t", 3)
		if parts[1] != "id4" {
			continue
		}
		got, err := layout.ParseRejected([]byte(parts[2]))
		if err != nil {
			t.Fatal(err)
		}
		if got.Class != convert.ClassBadPayload || got.Message != "Found invalid bucket FLAG.values[9]" ||
			string(got.Body) != ping || got.Path != "id4" || got.Origin != name ||
			!got.Time.Equal(time.Date(2013, 9, 10, 23, 59, 6, 0, time.UTC)) {
			t.Errorf("quarantined: %+v", got)
		}
		return
	}
	t.Error("the bad payload is not in the quarantine")
}

// TestConvertLogLeavesWhatIsInUse tries a raw log that a server writes.
func TestConvertLogLeavesWhatIsInUse(t *testing.T) {
	data := ingesttest.DataWith(t, goodPath, ingesttest.Ping(``))
	file, err := os.Open(filepath.Join(data.Dir(), layout.RawDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}

	w := newWorker(data, definitions(t), nil)
	if _, err := w.ConvertLog(t.Context(), name); !errors.Is(err, layout.ErrBusy) {
		t.Errorf("a locked raw log: %v", err)
	}
	file.Close()
	got, err := w.ConvertLog(t.Context(), name)
	if err != nil || got.Records != 1 {
		t.Errorf("unlocked: %+v, %v", got, err)
	}
}

// TestConvertLogWaitsForDefinitions converts a raw log of which a part has to wait,
// and then that part.
func TestConvertLogWaitsForDefinitions(t *testing.T) {
	data := ingesttest.DataWith(t,
		goodPath, ingesttest.Ping(``),
		"id2", unavailablePing,
		"id3", "{}",
		"id4/idle-daily/Firefox/23.0.1/release/2013", unavailablePing,
	)
	w := newWorker(data, definitions(t), nil)
	got, err := w.ConvertLog(t.Context(), name)
	if err != nil || got.Waiting != 2 || got.Records != 1 || got.AllQuarantined() != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	const waiting = "telemetry.log.v4.host.1.waiting1.1.finished"
	if left := rawLogs(t, data); !slices.Equal(left, []string{waiting}) {
		t.Errorf("raw logs %v", left)
	}

	// Nothing of it can be converted yet: it stays as it is.
	got, err = w.ConvertLog(t.Context(), waiting)
	if !errors.Is(err, revisions.ErrUnavailable) || got.Waiting != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.ConvertLog(ctx, waiting); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	// The server is back.
	got, err = newWorker(data, available{definitions(t)}, nil).ConvertLog(t.Context(), waiting)
	if err != nil || got.Records != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	lines := ingesttest.Lines(t, data, schema.All())
	if len(lines) != 3 || !strings.Contains(lines[1], "20130910\tid2\t") || !strings.Contains(lines[2], "20130910\tid4\t") {
		t.Errorf("published %q", lines)
	}
}

func TestWaitingName(t *testing.T) {
	for source, want := range map[string]string{
		name: "telemetry.log.v4.host.1.waiting1.1.finished",
		"telemetry.log.v4.host.1.waiting1.1.finished": "telemetry.log.v4.host.1.waiting2.1.finished",
		"telemetry.log.v3.v1.1.5.finished":            "telemetry.log.v4.v1.1.waiting1.5.finished",
		"x":                                           "telemetry.log.v4..waiting1.x.finished",
	} {
		if got := waitingName(source); got != want {
			t.Errorf("waitingName(%q) is %q, want %q", source, got, want)
		}
	}
}

// TestEveryKindIsHandled adds an outcome of each kind, as far as the switch of
// publication.add, which panics for one that it does not know.
func TestEveryKindIsHandled(t *testing.T) {
	data := ingesttest.DataWith(t)
	for kind := range decide.Kinds {
		p, err := newWorker(data, definitions(t), nil).newPublication("source")
		if err != nil {
			t.Fatal(err)
		}
		p.forgetting = decide.NewForgetting(nil, nil)
		outcome := decide.Outcome{
			Kind:      kind,
			Record:    convert.Record{ID: []byte("id"), JSON: []byte("{}")},
			Partition: schema.Default().Partition(schema.Dims{schema.SubmissionDate: "20130910"}),
			Rejection: &convert.Rejection{Class: convert.ClassFilter},
		}
		if err := p.add(ingesttest.Submission(), outcome); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
}
