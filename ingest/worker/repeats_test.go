package worker

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// TestRepeatsOfDocuments: the same document is published once, however it is packed. The
// same ID in another namespace is another document, and with another body it is a conflict,
// which is published and counted.
func TestRepeatsOfDocuments(t *testing.T) {
	packed := func(text string, level int) string {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
		w.Close()
		return b.String()
	}
	const one, two = `{"metrics":{"a":1}}`, `{"metrics":{"a":2}}`
	data := ingesttest.DataWith(t,
		"/org-a/events/1/id", one,
		"/org-a/events/1/id", packed(one, 1),
		"/org-a/other/1/id", packed(one, 9),
		"/org-b/events/1/id", one,
		"/org-b/events/1/id", one,
		"/org-a/events/1/id", packed(two, 1),
		"/org-a/events/1/id", two,
		"id", ingesttest.Ping(``),
		"id/idle-daily/Firefox/23.0.1/release/2013", packed(ingesttest.Ping(``), 1),
		"/telemetry/idle-daily/1/id", ingesttest.Ping(``),
	)
	data.DropRepeats(3)
	got, err := newWorker(data, definitions(t), nil).ConvertLog(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if got.Records != 4 || got.Repeated != 6 || got.Conflicts != 1 || got.AllQuarantined() != 0 {
		t.Errorf("%+v", got)
	}
	if lines := ingesttest.Lines(t, data, schema.All()); len(lines) != 4 {
		t.Errorf("%d records", len(lines))
	}
}
