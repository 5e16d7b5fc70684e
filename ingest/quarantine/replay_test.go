package quarantine

import (
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
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
