package convert

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/revisions"
)

// TestPayloadAhead converts main pings whose payload is read ahead, and the same with an
// escape in its name, so that it is not. With definitions each is converted twice: the second
// time they are guessed.
func TestPayloadAhead(t *testing.T) {
	spec, err := revisions.Parse([]byte(`{"histograms":{"A":{"kind":"boolean"},"B":{"kind":"linear","low":1,"high":40,"n_buckets":5}}}`))
	if err != nil {
		t.Fatal(err)
	}

	const plain, escaped = `"payload":`, `"p\u0061yload":`
	for _, text := range aheadPings() {
		for _, definitions := range []ingesttest.Definitions{{}, {Always: spec}} {
			ahead, later := New(definitions, DefaultOptions()), New(definitions, DefaultOptions())
			for turn := range 2 {
				clear(ahead.Dropped)
				clear(later.Dropped)
				got, err := ahead.Convert(t.Context(), aheadSubmission(text))
				if turn == 0 && err == nil && strings.HasPrefix(text, `{"type":"main"`) && strings.Contains(text, plain+"{") && ahead.document.payloadAt == 0 {
					t.Errorf("%.300s: not read ahead", text)
				}
				want, wantErr := later.Convert(t.Context(), aheadSubmission(strings.ReplaceAll(text, plain, escaped)))
				if (err == nil) != (wantErr == nil) {
					t.Errorf("%.300s: %v, want %v", text, err, wantErr)
				}
				if json := strings.ReplaceAll(string(want.JSON), escaped, plain); string(got.JSON) != json || got.Dims != want.Dims {
					t.Errorf("%.300s: got %.500s, want %.500s", text, got.JSON, json)
				}
				if !maps.Equal(ahead.Dropped, later.Dropped) {
					t.Errorf("%.300s: dropped %v, want %v", text, ahead.Dropped, later.Dropped)
				}
			}
		}
	}
}

// aheadSubmission returns a submission of the ping as browsers of today make it.
func aheadSubmission(text string) *rawlog.Submission {
	request := rawlog.AppendField(nil, rawlog.FieldMethod, "POST")
	return &rawlog.Submission{
		Path: "eed94659-dfbb-41d9-86fc-78f29b030dbb/main/Firefox/153.8.0/esr/20261117185949",
		Body: []byte(text), Request: rawlog.Request(request), Time: ingesttest.ClientsReceived,
	}
}

// aheadPings returns main pings, what is like them, and what is not JSON.
func aheadPings() []string {
	const (
		good  = `{"bucket_count":3,"histogram_type":2,"sum":0,"range":[1,2],"values":{"0":1}}`
		other = `{"bucket_count":4,"histogram_type":1,"sum":0,"range":[1,41],"values":{"0":1}}`
		info  = `"info":{` + ingesttest.Revision + `}`
	)
	section := `"histograms":{"A":` + good + `,"B":` + other + `,"C":7,"D":` + good + `}`
	keyed := `"keyedHistograms":{"A":{"k":` + good + `,"l":[]},"B":{"k":` + other + `}}`
	processes := `"processes":{"content":{` + section + `,"scalars":{},` + keyed + `},"gpu":1}`

	var pings []string
	for _, payload := range []string{
		`{` + section + `,` + keyed + `,` + processes + `,` + info + `}`,
		`{` + info + `,` + processes + `,"x":[],` + keyed + `,` + section + `}`,
		`{` + section + `,` + section + `,` + info + `,` + processes + `,` + processes + `}`,
		`{` + section + `,"histogr\u0061ms":{},` + info + `}`,
		`{"histograms":7,"keyedHistograms":[{}],"processes":"x",` + info + `}`,
		`{` + section + `}`, `{` + info + `}`, `{}`, `[]`, `"x"`, `7`,
		`{"histograms":{"A":{"values":{"0":1}},"A":` + good + `},` + info + `}`,
		`{"histograms":{"A":tru},` + info + `}`, `{"histograms":{"A":` + good + `,},` + info + `}`,
		`{"x":tru,` + section + `,` + info + `}`, `{` + section + `,` + info + `]`, `{"histograms":{"A":"`,
		`{"histograms":` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + `,` + info + `}`,
		`{"histograms":` + strings.Repeat("[", 513) + strings.Repeat("]", 513) + `,` + info + `}`,
	} {
		pings = append(pings,
			`{"type":"main","version":4,"application":{},"payload":`+payload+`,"clientId":"c"}`,
			`{"application":{},"payload":`+payload+`,"type":"main","version":4}`,
			`{"application":{},"payload":`+payload+`,"type":"sync","version":4}`,
			`{"application":{},"payload":`+payload+`,"type":"saved-session","version":4,"environment":{}}`,
			`{"application":{},"payload":`+payload+`,"type":"main","version":5,"info":{}}`,
			`{"type":"saved-session","version":4,"application":{},"payload":`+payload+`,"environment":{}}`,
			`{"type":"main","version":4,"application":{},"payload":{`+section+`,`+info+`},"payload":`+payload+`}`,
			`{"type":"main","version":4,"application":{},"payload":`+payload+`,"payload":{`+section+`,`+info+`}}`,
			`{"ver":1,`+info+`,`+section+`,"payload":`+payload+`}`,
		)
	}
	return pings
}

// TestMetricsAhead converts Glean pings whose metrics are walked while they are checked, and
// the same with an escape in the name, so that they are not.
func TestMetricsAhead(t *testing.T) {
	const plain, escaped = `"metrics":`, `"metr\u0069cs":`
	const id = `"uuid":{"a":"eed94659-dfbb-41d9-86fc-78f29b030dbb"}`
	texts := `"string":{"crash.app_build":"20260101","usage.app_channel":"beta"}`
	for _, metrics := range []string{
		`{}`, `[]`, `7`, `{` + id + `,` + texts + `}`, `{` + texts + `,"string":[],` + id + `}`, `{"string":1,` + texts + `}`,
		`{"uuid":7}`, `{"counter":{"a":1},` + texts + `,"uu\u0069d":{"b":"eed94659-dfbb-41d9-86fc-78f29b030dbc"}}`,
		`{"x":tru}`, `{"x":1,}`, `{"x":` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + `}`, `{"x":` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + `}`,
	} {
		for i, text := range []string{
			`{"ping_info":{},"metrics":` + metrics + `}`,
			`{"metrics":{` + id + `,` + texts + `},"metrics":` + metrics + `}`,
			`{"metrics":` + metrics + `,"metrics":{"counter":{}}}`,
		} {
			sub := aheadSubmission(text)
			sub.Path = "/org-example/metrics/1/eed94659-dfbb-41d9-86fc-78f29b030dbb"
			got, err := offline().Convert(t.Context(), sub)

			later := *sub
			later.Body = []byte(strings.ReplaceAll(text, plain, escaped))
			want, wantErr := offline().Convert(t.Context(), &later)
			if (err == nil) != (wantErr == nil) {
				t.Errorf("%.300s: %v, want %v", text, err, wantErr)
			}
			if json := strings.ReplaceAll(string(want.JSON), escaped, plain); !bytes.Equal(got.JSON, []byte(json)) || got.Dims != want.Dims {
				t.Errorf("%.300s: got %.500s, want %.500s", text, got.JSON, json)
			}
			// With the escape an ID may be found twice, and those of an earlier member too.
			if i == 0 && !slices.Equal(got.Clients, slices.Compact(want.Clients)) {
				t.Errorf("%.300s: got clients %v, want %v", text, got.Clients, want.Clients)
			}
		}
	}
}
