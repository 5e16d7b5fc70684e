package quarantine_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// widerDefinitions has more buckets than that of ingesttest, so that what was rejected
// for its buckets can be converted.
const widerDefinitions = `{"FLAG": {"kind": "enumerated", "n_values": 9}}`

// definitions returns these definitions for every revision.
func definitions(t *testing.T, text string) convert.Definitions {
	t.Helper()
	spec, err := revisions.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ingesttest.Definitions{Always: spec}
}

// quarantineAll converts the raw log of data; want is how many are quarantined.
func quarantineAll(t *testing.T, data *layout.Data, want int64) {
	t.Helper()
	w := worker.New(data, worker.Options{
		Definitions: definitions(t, ingesttest.DefinitionsText),
		Convert:     convert.DefaultOptions(),
	})
	got, err := w.ConvertLog(t.Context(), ingesttest.RawLogName)
	if err != nil || got.AllQuarantined() != want {
		t.Fatalf("%+v, %v", got, err)
	}
}

// replay replays the quarantine with these definitions.
func replay(t *testing.T, data *layout.Data, text, class string, dryRun bool) quarantine.Replayed {
	t.Helper()
	conversion := decide.NewConversion(definitions(t, text), convert.DefaultOptions(), nil)
	counts, err := quarantine.Replay(t.Context(), data, conversion, class, dryRun)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// quarantined lists class, ID and message of what is in the quarantine.
func quarantined(t *testing.T, data *layout.Data) (list []string) {
	t.Helper()
	segments, err := quarantine.Segments(t.Context(), data.Tree(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, segment := range segments {
		for rejected, err := range quarantine.Read(data.Tree(), segment) {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, segment.Class+" "+rejected.ID()+" "+rejected.Message)
		}
	}
	return list
}

func TestReplay(t *testing.T) {
	data := ingesttest.DataWith(t,
		"id1", ingesttest.Ping(`"FLAG":{"values":{"9":1}}`),
		"id2", ingesttest.Ping(`"FLAG":{"values":{"0":1}}`),
		"id3", ingesttest.Ping(`"FLAG":{"values":{"x":1}}`),
		"id4", "{",
		"id5", ingesttest.Ping(`"FLAG":{"values":{"8":1}}`),
	)
	quarantineAll(t, data, 4)
	before := quarantined(t, data)

	// Nothing changes in a dry run, nor with the definitions of before.
	for _, dryRun := range []bool{true, false} {
		n := replay(t, data, ingesttest.DefinitionsText, "", dryRun)
		if n.Tried != 4 || n.Records != 0 || n.Quarantined[convert.ClassBadPayload] != 3 || n.Quarantined[convert.ClassConversion] != 1 {
			t.Errorf("dry run %v: %+v", dryRun, n)
		}
	}
	if n := replay(t, data, widerDefinitions, convert.ClassBadPayload, true); n.Tried != 3 || n.Records != 2 {
		t.Errorf("dry run, wider: %+v", n)
	}
	if got := quarantined(t, data); !slices.Equal(got, before) {
		t.Errorf("the quarantine changed: %q", got)
	}

	n := replay(t, data, widerDefinitions, convert.ClassBadPayload, false)
	if n.Tried != 3 || n.Records != 2 || n.Quarantined[convert.ClassBadPayload] != 1 {
		t.Errorf("wider: %+v", n)
	}
	want := []string{
		"bad_payload id3 Found invalid bucket FLAG.values[x]",
		"conversion_error id4 JSONDecodeError: unexpected end of JSON at byte 1",
	}
	if got := quarantined(t, data); !slices.Equal(got, want) {
		t.Errorf("quarantined: %q", got)
	}
	lines := ingesttest.Lines(t, data, schema.All())
	wantLine := "20130910\tid5\t" + ingesttest.Converted(`"FLAG":[0,0,0,0,0,0,0,0,1,0,-1,-1,-1,-1,-1]`)
	if len(lines) != 3 || !strings.Contains(strings.Join(lines, "\n"), wantLine) {
		t.Errorf("published: %q", lines)
	}

	if n := replay(t, data, widerDefinitions, "", false); n.Tried != 2 || n.Records != 0 {
		t.Errorf("again: %+v", n)
	}
}

func TestReplayKeepsTheCountry(t *testing.T) {
	data := ingesttest.DataWith(t)
	log := rawlog.AppendEntry(rawlog.AppendHead(nil, 0), &rawlog.Submission{
		Country: "DE",
		Path:    "id",
		Body:    []byte(ingesttest.Ping(`"FLAG":{"values":{"9":1}}`)),
		Time:    time.Unix(1378857540, 0),
	}, 0)
	name := filepath.Join(data.Dir(), layout.RawDir, ingesttest.RawLogName)
	if err := os.WriteFile(name, log, 0o644); err != nil {
		t.Fatal(err)
	}
	quarantineAll(t, data, 1)

	if n := replay(t, data, widerDefinitions, "", false); n.Records != 1 {
		t.Fatalf("%+v", n)
	}
	lines := ingesttest.Lines(t, data, schema.All())
	if len(lines) != 1 || !strings.Contains(lines[0], `"geoCountry":"DE"`) {
		t.Errorf("published: %q", lines)
	}
}

// TestReplayOfOutages replays what has no definitions now: it stays as it is.
func TestReplayOfOutages(t *testing.T) {
	ping := strings.Replace(ingesttest.Ping(``), "0123456789ab", "404404404404", 1)
	data := ingesttest.DataWith(t, "id1", ping)
	quarantineAll(t, data, 1)
	before := quarantined(t, data)

	conversion := decide.NewConversion(unavailable{}, convert.DefaultOptions(), nil)
	n, err := quarantine.Replay(t.Context(), data, conversion, "", false)
	if err != nil || n.Tried != 1 || n.Waiting != 1 || n.Quarantined[convert.ClassConversion] != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	if got := quarantined(t, data); !slices.Equal(got, before) {
		t.Errorf("quarantined: %q, want %q", got, before)
	}
}

// unavailable is definitions of a server that is down.
type unavailable struct{}

func (unavailable) Spec(context.Context, revisions.Ref) (*revisions.Spec, error) {
	return nil, revisions.ErrUnavailable
}

// TestReplayOfWhatWasTooLarge quarantines a whole submission and the beginning of one,
// and replays them when their class is asked for.
func TestReplayOfWhatWasTooLarge(t *testing.T) {
	whole := rawlog.TooLarge("kafka/t/0/1", rawlog.Submission{Path: "id1", Body: []byte(ingesttest.Ping(``))}, int64(len(ingesttest.Ping(``))))
	cut := rawlog.TooLarge("kafka/t/0/2", rawlog.Submission{Path: "id2", Body: make([]byte, 100)}, 100)
	data := ingesttest.DataWith(t, whole.Path, string(whole.Body), cut.Path, string(cut.Body[:10]))
	quarantineAll(t, data, 2)

	if n := replay(t, data, "{}", "", false); n.Tried != 0 {
		t.Errorf("without its class: %+v", n)
	}
	n := replay(t, data, "{}", convert.ClassTooLarge, false)
	if n.Tried != 2 || n.Records != 1 || n.Quarantined[convert.ClassTooLarge] != 1 {
		t.Errorf("with its class: %+v", n)
	}

	lines := ingesttest.Lines(t, data, schema.All())
	if len(lines) != 1 || !strings.Contains(lines[0], "\tid1\t") {
		t.Errorf("published %q", lines)
	}
}

func (unavailable) AtHand(revisions.Ref) *revisions.Spec { return nil }
