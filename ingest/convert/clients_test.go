package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

var update = flag.Bool("update", false, "write the golden files of current clients")

// requireGolden compares text with a file below testdata.
func requireGolden(t *testing.T, name, text string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("differs from %s: go test ./ingest/convert -run %s -update, and review the diff\n%s", file, t.Name(), text)
	}
}

// offline is a Converter that has no definitions, and cannot get any.
func offline() *Converter { return New(ingesttest.Definitions{}, DefaultOptions()) }

// TestClients converts each request that a current client has sent, without definitions.
// Each becomes a record, which has everything that was sent.
func TestClients(t *testing.T) {
	var golden strings.Builder
	for _, request := range ingesttest.ClientRequests(t) {
		if request.Body == nil {
			continue
		}
		sub := request.Submission()
		c := offline()
		record, err := c.Convert(t.Context(), &sub)
		if err != nil {
			t.Errorf("%s: %v", request.Name, err)
			continue
		}
		if len(c.Dropped) > 0 {
			t.Errorf("%s: dropped %v", request.Name, c.Dropped)
		}

		sent, err := Unpack(request.Body, 1<<24)
		if err != nil {
			t.Fatal(err)
		}
		sent = withoutIDs(t, sent, record.Forget)
		metadata := requireRecordOf(t, request.Name, sent, record.JSON)
		if bytes.Contains(record.JSON, []byte("Mozilla/5.0")) {
			t.Errorf("%s: the user agent is stored", request.Name)
		}
		partition := schema.Default().Partition(record.Dims)
		fmt.Fprintf(&golden, "%s\n\t%s\n\t%s\n", request.Name, partition, metadata)
	}
	requireGolden(t, "clients.golden", golden.String())
}

// TestSubjectsAgree: the converter, which makes the filter of a segment, finds every client
// that a reader of the record finds.
func TestSubjectsAgree(t *testing.T) {
	agree := func(name string, sub rawlog.Submission) {
		record, err := offline().Convert(t.Context(), &sub)
		if err != nil {
			return
		}
		read, namespace := forget.Clients(nil, record.JSON)
		missing := slices.DeleteFunc(read, func(id forget.ID) bool { return slices.Contains(record.Clients, id) })
		if len(missing) > 0 || namespace != record.Namespace {
			t.Errorf("%s: a reader finds %s in %s that the converter does not, in %s", name, missing, namespace, record.Namespace)
		}
	}
	for _, request := range ingesttest.ClientRequests(t) {
		if request.Body != nil {
			agree(request.Name, request.Submission())
		}
	}
	for _, sample := range ingesttest.Samples(t) {
		agree(sample.Name, sample.Submission())
	}
	for i, text := range []string{
		`{"ver":1,"clientID":"4655c7ae-eb2d-46bc-8c3d-58f619e6c7b0","info":{"reason":"x"}}`,
		`{"client_info":{"client_id":"4655c7ae-eb2d-46bc-8c3d-58f619e6c7b0"},"client_info":{"client_id":"5655c7ae-eb2d-46bc-8c3d-58f619e6c7b0"}}`,
		`{"metrics":{"uuid":{"a":"4655c7ae-eb2d-46bc-8c3d-58f619e6c7b0"},"string":{"b":"c"}},"clientId":"{5655c7ae-eb2d-46bc-8c3d-58f619e6c7b0}"}`,
		`{"metadata":{"namespace":"other"},"client\u0049d":"4655c7ae-eb2d-46bc-8c3d-58f619e6c7b0"}`,
	} {
		for _, path := range []string{"/my-app/baseline/1/id", "/telemetry/main/4/id", "id/main/Firefox/1/esr/2026"} {
			sub := rawlog.Submission{Path: path, Body: []byte(text), Time: ingesttest.ClientsReceived, Request: rawlog.Request(rawlog.AppendField(nil, rawlog.FieldMethod, "POST"))}
			agree(fmt.Sprint(path, i), sub)
		}
	}
}

// withoutIDs returns a deletion request as its record has it. It finds the IDs by their text.
func withoutIDs(t *testing.T, sent []byte, requests []forget.Request) []byte {
	t.Helper()
	for _, request := range requests {
		for _, quoted := range []string{`"` + request.ID.String() + `"`, `"{` + request.ID.String() + `}"`} {
			sent = bytes.ReplaceAll(sent, []byte(quoted), []byte("null"))
		}
		if bytes.Contains(sent, []byte(request.ID.String())) {
			t.Errorf("%s is left in %s", request.ID, sent)
		}
	}
	return sent
}

// requireRecordOf checks that a record is what was sent, but for what conversion adds. It
// returns the metadata.
func requireRecordOf(t *testing.T, name string, sent, record []byte) json.RawMessage {
	t.Helper()
	var want, got map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(sent, &want), json.Unmarshal(record, &got)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}

	metadata := got["metadata"]
	delete(got, "metadata")
	delete(want, "metadata")
	if string(got["version"]) == "5" && string(want["version"]) == "4" {
		want["version"] = got["version"]
		delete(got, "info")
	}
	for member, value := range want {
		if !bytes.Equal(got[member], value) {
			t.Errorf("%s: %s is\n%s\nwas\n%s", name, member, got[member], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d members, want %d", name, len(got), len(want))
	}
	return metadata
}

// TestSamples converts the validation samples of mozilla-pipeline-schemas: valid ones
// become records, others too, or are rejected for a class.
func TestSamples(t *testing.T) {
	var golden strings.Builder
	for _, sample := range ingesttest.Samples(t) {
		sub := sample.Submission()
		c := offline()
		record, err := c.Convert(t.Context(), &sub)
		rejection, rejected := errors.AsType[*Rejection](err)
		switch {
		case rejected && !sample.Pass:
			fmt.Fprintf(&golden, "%s\n\t%s: %s\n", sample.Name, rejection.Class, rejection.Message)
		case err != nil:
			t.Errorf("%s: %v", sample.Name, err)
		case !json.Valid(record.JSON):
			t.Errorf("%s: the record is no JSON", sample.Name)
		default:
			fmt.Fprintf(&golden, "%s\n\t%s\n", sample.Name, schema.Default().Partition(record.Dims))
			for drop, n := range c.Dropped {
				fmt.Fprintf(&golden, "\tdropped %d %s: %s\n", n, drop.Name, drop.Reason)
			}
		}
	}
	requireGolden(t, "samples.golden", golden.String())
}

// FuzzReceived converts anything, as a ping of today received for any path. It must not
// panic, and what it writes is JSON on one line.
func FuzzReceived(f *testing.F) {
	paths := []string{"/org-example/baseline/1/id", "/telemetry/main/4/id", "id/main/Firefox/153.0/esr/2026", "id"}
	for i, text := range []string{
		`{}`, `{"ping_info":{"seq":1},"client_info":{"app_channel":"esr","client_id":"c"},"metrics":{"string":{"crash.app_build":"1","usage.app_channel":"x"}},"metadata":1}`,
		unifiedPing("main"), unifiedPing("first-shutdown"), `{"v":1,"clientId":"c"}`, `{"ver":1,"info":{}}`, `{"metadata":{},"a":1,"a":2}`, "[]", `{"client_info":[],"metrics":{"string":[]}}`,
	} {
		f.Add(byte(i), []byte(text))
	}
	if _, err := os.Stat("../../../shared/data"); err == nil {
		for i, sample := range ingesttest.Samples(f) {
			if len(sample.Text) < 100_000 { // the largest differ in little
				f.Add(byte(i), sample.Text)
			}
		}
	}

	c := offline()
	f.Fuzz(func(t *testing.T, which byte, text []byte) {
		request := rawlog.AppendField(nil, rawlog.FieldMethod, "POST")
		sub := rawlog.Submission{Path: paths[int(which)%len(paths)], Body: text, Request: rawlog.Request(request), Time: ingesttest.ClientsReceived}
		before := bytes.Clone(text)
		record, err := c.Convert(t.Context(), &sub)
		if !bytes.Equal(text, before) {
			t.Fatal("the submission was changed")
		}
		if err != nil {
			if rejection, ok := errors.AsType[*Rejection](err); ok && strings.Contains(rejection.Message, "panic") {
				t.Fatal(err)
			}
			return
		}
		if !json.Valid(record.JSON) || bytes.ContainsAny(record.JSON, "\r\n") {
			t.Fatalf("%q became %q", text, record.JSON)
		}
	})
}

// TestClientsWithDefinitions converts the pings of a browser with the definitions of that
// browser: they are usable, and every histogram agrees with its own.
func TestClientsWithDefinitions(t *testing.T) {
	spec, err := revisions.Parse(ingesttest.Shared(t, "clients/definitions/firefox-153.8.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	categorical := 0
	for definition := range spec.Definitions() {
		if definition.Err != nil {
			t.Errorf("%s: %v", definition.Name, definition.Err)
		}
		if definition.Kind == revisions.Categorical {
			categorical++
		}
	}
	if categorical == 0 {
		t.Error("no categorical histograms")
	}

	for _, request := range ingesttest.ClientRequests(t) {
		if request.Body == nil {
			continue
		}
		sub := request.Submission()
		with := New(ingesttest.Definitions{Always: spec}, DefaultOptions())
		record, err := with.Convert(t.Context(), &sub)
		if err != nil || len(with.Dropped) > 0 {
			t.Fatalf("%s: %v, dropped %v", request.Name, err, with.Dropped)
		}
		without, err := offline().Convert(t.Context(), &sub)
		if err != nil || !bytes.Equal(record.JSON, without.JSON) {
			t.Errorf("%s: definitions change the record: %v", request.Name, err)
		}
	}
}

// TestUnusableHistograms: one that cannot be used costs that histogram, wherever it is.
func TestUnusableHistograms(t *testing.T) {
	const good = `{"range":[1,2],"bucket_count":3,"histogram_type":2,"values":{"0":1},"sum":0}`
	ping := func(section string) string {
		return `{"type":"main","version":4,"application":{},"payload":{"info":{"revision":"https://hg.mozilla.org/a/rev/0123456789ab"},"histograms":{},` + section + `"z":1}}`
	}
	bad := map[string]string{
		`[1]`: "not_object",
		`{"range":[1,2],"bucket_count":3,"histogram_type":2,"sum":0}`:    "no_values",
		`{"range":[1,2],"bucket_count":3,"histogram_type":2,"values":7}`: "no_values",
		`{"values":{}}`: "bucketing",
		`{"range":[1,2],"bucket_count":3,"histogram_type":6,"values":{}}`:           "bucketing",
		`{"range":[5,2],"bucket_count":3,"histogram_type":0,"values":{}}`:           "bucketing",
		`{"values":{"0":1},"range":[1,2,3],"bucket_count":3,"histogram_type":2}`:    "bucketing",
		`{"range":[1,2],"bucket_count":99999999999,"histogram_type":2,"values":{}}`: "bucketing",
		`{"range":[1,2],"bucket_count":3,"histogram_type":2,"values":{"3":1}}`:      "bucket",
		`{"values":{"3":1},"range":[1,2],"bucket_count":3,"histogram_type":2}`:      "bucket",
		`{"range":[1,2],"bucket_count":3,"histogram_type":2,"values":{"x":1}}`:      "bucket",
		`{"range":[1,2],"bucket_count":3,"histogram_type":2,"values":{"0":-1}}`:     "count",
		`{"range":[1,2],"bucket_count":3,"histogram_type":2,"values":{"0":1.0}}`:    "count",
		`{"range":[1,2],"bucket_count":3,"histogram_type":2,"values":{"0":{}}}`:     "count",
		`{"range":[1,2],"bucket_count":3,"histogram_type":2,"values":{},"sum":"x"}`: "sum",
		`{"range":[1,40],"bucket_count":5,"histogram_type":0,"values":{}}`:          "type",
		`{"range":[1,41],"bucket_count":5,"histogram_type":1,"values":{}}`:          "range",
		`{"range":[1,40],"bucket_count":6,"histogram_type":1,"values":{}}`:          "bucket_count",
	}
	spec, err := revisions.Parse([]byte(ingesttest.DefinitionsText))
	if err != nil {
		t.Fatal(err)
	}

	for text, reason := range bad {
		name := "H"
		if reason == "type" || reason == "range" || reason == "bucket_count" {
			name = "LIN" // which has a definition
		}
		for _, form := range []struct{ before, after string }{
			{`"histograms":{"A":` + good + `,"` + name + `":` + text + `,"B":` + good + `},`, `"histograms":{"A":` + good + `,"B":` + good + `},`},
			{`"histograms":{ "` + name + `":` + text + ` , "B":` + good + `},`, `"histograms":{ "B":` + good + `},`},
			{`"histograms":{"` + name + `":` + text + `,"` + name + `":` + text + `},`, `"histograms":{},`},
			{`"histograms":{"A":` + good + `,"` + name + `":` + text + `},`, `"histograms":{"A":` + good + `},`},
			{`"keyedHistograms":{"` + name + `":{"k":` + text + `,"l":` + text + `},"x":null},`, `"keyedHistograms":{"` + name + `":{},"x":null},`},
			{`"processes":{"content":{"histograms":{"` + name + `":` + text + `},"scalars":{"s":1},"keyedHistograms":{"` + name + `":{"k":` + text + `}}},"odd":1},`,
				`"processes":{"content":{"histograms":{},"scalars":{"s":1},"keyedHistograms":{"` + name + `":{}}},"odd":1},`},
		} {
			c := New(ingesttest.Definitions{Always: spec}, DefaultOptions())
			record, err := c.ConvertJSON(t.Context(), []byte(ping(form.before)), "20261128")
			if err != nil {
				t.Errorf("%s: %v", form.before, err)
				continue
			}

			// The first "histograms" of ping does not count if there is another.
			got := string(record.JSON)
			want, err := c.ConvertJSON(t.Context(), []byte(ping(form.after)), "20261128")
			if err != nil || got != string(want.JSON) {

				t.Errorf("%s:\ngot  %s\nwant %s, %v", form.before, got, want.JSON, err)
			}
			drop := histogram.Drop{Name: name, Reason: reason}
			if c.Dropped[drop] == 0 || len(c.Dropped) != 1 {
				t.Errorf("%s: dropped %v, want %v", form.before, c.Dropped, drop)
			}
		}
	}

	// What is not JSON is that, and not a histogram that cannot be used.
	for _, text := range []string{`{"range":[1,2],"bucket_count":3,"histogram_type":2,"values":{"0":1]}`, `[1}`, `{"values":{"0":01}}`, `{"values":{"0":}}`} {
		_, err := offline().ConvertJSON(t.Context(), []byte(ping(`"histograms":{"H":`+text+`},`)), "20261128")
		if rejection, ok := errors.AsType[*Rejection](err); !ok || !strings.HasPrefix(rejection.Message, "JSONDecodeError") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
