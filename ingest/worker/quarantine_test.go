package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// withDefinitions returns a Converter for whose revisions these definitions hold.
func withDefinitions(t testing.TB, definitions string) *convert.Converter {
	t.Helper()
	spec, err := revisions.Parse([]byte(definitions))
	if err != nil {
		t.Fatal(err)
	}
	return convert.New(ingesttest.Definitions{Always: spec}, convert.DefaultOptions())
}

func TestReplay(t *testing.T) {
	const wider = `{"FLAG": {"kind": "enumerated", "n_values": 9}}`
	data, name := dataWith(t,
		"id1", ingesttest.Ping(`"FLAG":{"values":{"9":1}}`),
		"id2", ingesttest.Ping(`"FLAG":{"values":{"0":1}}`),
		"id3", ingesttest.Ping(`"FLAG":{"values":{"x":1}}`),
		"id4", "{",
		"id5", ingesttest.Ping(`"FLAG":{"values":{"8":1}}`),
	)
	if st, err := ConvertLog(t.Context(), data, name, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText)}); err != nil || st.Quarantined() != 4 {
		t.Fatalf("%+v, %v", st, err)
	}
	quarantined := func() (got []string) {
		segs, err := Quarantine(t.Context(), data.Tree(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range segs {
			for q, err := range Quarantined(data.Tree(), s) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, s.Class+" "+q.ID()+" "+q.Message)
			}
		}
		return got
	}
	before := quarantined()

	// Nothing changes in a dry run, nor with the definitions of before.
	for _, dry := range []bool{true, false} {
		n, err := Replay(t.Context(), data, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText)}, "", dry)
		if err != nil || n.Tried != 4 || n.Records != 0 || n.Invalid[convert.ClassBadPayload] != 3 || n.Invalid[convert.ClassConversion] != 1 {
			t.Errorf("dry %v: %+v, %v", dry, n, err)
		}
	}
	if n, err := Replay(t.Context(), data, Options{Converter: withDefinitions(t, wider)}, convert.ClassBadPayload, true); err != nil || n.Tried != 3 || n.Records != 2 {
		t.Errorf("dry, wider: %+v, %v", n, err)
	}
	if got := quarantined(); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("the quarantine changed: %q", got)
	}

	n, err := Replay(t.Context(), data, Options{Converter: withDefinitions(t, wider)}, convert.ClassBadPayload, false)
	if err != nil || n.Tried != 3 || n.Records != 2 || n.Invalid[convert.ClassBadPayload] != 1 {
		t.Errorf("wider: %+v, %v", n, err)
	}
	want := []string{"bad_payload id3 Found invalid bucket FLAG.values[x]", "conversion_error id4 JSONDecodeError: unexpected end of JSON at byte 1"}
	if got := quarantined(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("quarantined: %q", got)
	}
	lines := linesIn(t, data, schema.All())
	if len(lines) != 3 || !strings.Contains(strings.Join(lines, "\n"), "20130910\tid5\t"+ingesttest.Converted(`"FLAG":[0,0,0,0,0,0,0,0,1,0,-1,-1,-1,-1,-1]`)) {
		t.Errorf("published: %q", lines)
	}
	if n, err := Replay(t.Context(), data, Options{Converter: withDefinitions(t, wider)}, "", false); err != nil || n.Tried != 2 || n.Records != 0 {
		t.Errorf("again: %+v, %v", n, err)
	}
}

func TestReplayKeepsTheCountry(t *testing.T) {
	data, name := dataWith(t)
	log := rawlog.AppendEntry(rawlog.AppendHead(nil, 0), &rawlog.Submission{
		Country: "DE", Path: "id", Body: []byte(ingesttest.Ping(`"FLAG":{"values":{"9":1}}`)), Time: time.Unix(1378857540, 0),
	}, 0)
	if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), log, 0o644); err != nil {
		t.Fatal(err)
	}
	if st, err := ConvertLog(t.Context(), data, name, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText)}); err != nil || st.Quarantined() != 1 {
		t.Fatalf("%+v, %v", st, err)
	}
	wider := withDefinitions(t, `{"FLAG": {"kind": "enumerated", "n_values": 9}}`)
	if n, err := Replay(t.Context(), data, Options{Converter: wider}, "", false); err != nil || n.Records != 1 {
		t.Fatalf("%+v, %v", n, err)
	}
	if lines := linesIn(t, data, schema.All()); len(lines) != 1 || !strings.Contains(lines[0], `"geoCountry":"DE"`) {
		t.Errorf("published: %q", lines)
	}
}
