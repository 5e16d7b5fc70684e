package quarantine

import (
	"reflect"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// TestEveryKindIsHandled applies an outcome of each kind.
func TestEveryKindIsHandled(t *testing.T) {
	data := ingesttest.DataWith(t)
	for kind := range decide.Kinds {
		writer, err := data.NewWriter("replay", layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r := &replay{data: data, writer: writer, counts: Replayed{Quarantined: map[string]int64{}, Dropped: map[string]int64{}}}
		outcome := decide.Outcome{
			Kind:      kind,
			Record:    convert.Record{ID: []byte("id"), JSON: []byte("{}")},
			Partition: schema.Default().Partition(schema.Dims{schema.SubmissionDate: "20130910"}),
			Rejection: &convert.Rejection{Class: convert.ClassFilter},
			Outage:    &convert.Outage{Err: revisions.ErrUnavailable},
		}
		rejected := layout.Rejected{Class: convert.ClassConversion, Path: "id", Time: time.Unix(1378857540, 0), Body: []byte("{}")}
		if err := r.apply(rejected, outcome); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		if err := writer.Abort(); err != nil {
			t.Error(err)
		}
	}
}

// TestAddStoresEverything quarantines a submission with all its facts, and gets them back.
func TestAddStoresEverything(t *testing.T) {
	data := ingesttest.DataWith(t)
	writer, err := data.NewWriter("source", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sent := &rawlog.Submission{
		Path:    "id/caf\xe9", // not UTF-8, which JSON cannot hold
		Body:    []byte("\x1f\x8b body"),
		Time:    time.UnixMilli(1378857540123).UTC(),
		Country: "DE",
		Request: rawlog.Request(rawlog.AppendField(nil, rawlog.FieldMethod, "PUT")),
		Origin:  rawlog.Origin{Log: "log", Offset: 7},
	}
	if err := Add(writer, sent, &convert.Rejection{Class: convert.ClassCorrupt, Message: "why"}); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}

	segments, err := Segments(t.Context(), data.Tree(), convert.ClassCorrupt)
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	for rejected, err := range Read(data.Tree(), segments[0]) {
		if err != nil {
			t.Fatal(err)
		}
		for field, value := range reflect.ValueOf(rejected).Fields() {
			if value.IsZero() && field.Name != "PathBytes" { // which is how Path is stored
				t.Errorf("%s is not stored", field.Name)
			}
		}
		if got := submissionOf(rejected); !reflect.DeepEqual(got, sent) {
			t.Errorf("got %+v, want %+v", got, sent)
		}
	}
}
