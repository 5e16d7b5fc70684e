package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/revisions"
)

// unifiedPing is a ping of the unified format with one histogram.
func unifiedPing(kind string) string {
	return `{"type":"` + kind + `","id":"i","version":4,"application":{"name":"Firefox","channel":"nightly","version":"42.0a1","buildId":"20150701030206","architecture":"x86-64","vendor":null},` +
		`"payload":{"ver":4,"type":"inner","info":{` + ingesttest.Revision + `,"reason":"saved-session","sessionLength":12},"histograms":{"FLAG":{"values":{"0":1},"sum":0}},"keyedHistograms":{"K":{"a":{"values":{}}}}},` +
		`"clientId":"c","environment":{"build":{"applicationId":"{ec8}","buildId":"b"},"system":{"memoryMB":8192,"cpu":{"count":4},"os":{"name":"Windows_NT","version":"6.1"},` +
		`"gfx":{"D2DEnabled":true,"adapters":[{"description":"one","RAM":null},{"description":"two","GPUActive":true},{"description":"three"}]},"hdd":{"profile":null}},` +
		`"addons":{"theme":{"id":"t"},"activeExperiment":{}}}}`
}

func TestConvertOtherVersions(t *testing.T) {
	const application = `"appName":"Firefox","appUpdateChannel":"nightly","appVersion":"42.0a1","appBuildID":"20150701030206","arch":"x86-64"`
	top := strings.Replace(unifiedPing("saved-session"), `"version":4`, `"version":5`, 1)
	_, environment, _ := strings.Cut(top, `"clientId"`)
	tests := []struct{ name, in, want, dims string }{
		{"Firefox OS 1.3", `{"ver":3,"pingID":"p","deviceinfo.update_channel":"beta","deviceinfo.platform_version":28.0,"x":{}}`,
			`{"ver":2,"deviceinfo.update_channel":"beta","deviceinfo.platform_version":28.0,"x":{},"info":{"reason":"ftu","appName":"FirefoxOS","appUpdateChannel":"beta","appBuildID":"UNKNOWN","appVersion":28.0}}`,
			"ftu/FirefoxOS/beta/28.0/UNKNOWN/20150702"},
		{"android-anr-report", `{"ver":1,"androidANR":"…","info":{"reason":"android-anr-report","appName":"Fennec"}}`,
			`{"ver":2,"androidANR":"…","info":{"reason":"android-anr-report","appName":"Fennec"}}`, "android-anr-report/Fennec/UNKNOWN/UNKNOWN/UNKNOWN/20150702"},
		{"other type", unifiedPing("deletion"), strings.TrimSuffix(strings.Replace(unifiedPing("deletion"), `"version":4`, `"version":5`, 1), "}") + `,"info":{` + application + `,"reason":"deletion"}}`,
			"deletion/Firefox/nightly/42.0a1/20150701030206/20150702"},
		{"main", unifiedPing("main"), strings.TrimSuffix(strings.NewReplacer(`"version":4`, `"version":5`, `"K":{"a":{"values":{}}}`, `"K":{}`).Replace(unifiedPing("main")), "}") +
			`,"info":{` + application + `,"reason":"main"}}`, "main/Firefox/nightly/42.0a1/20150701030206/20150702"},
		{"saved-session", unifiedPing("saved-session"), `{"type":"saved-session","id":"i","version":5,"application":{"name":"Firefox","channel":"nightly","version":"42.0a1","buildId":"20150701030206","architecture":"x86-64","vendor":null},` +
			`"payload.ver":4,"payload.type":"inner","histograms":{"FLAG":[1,0,0,0,-1,-1,-1,-1]},"keyedHistograms":{"K":{"a":{"values":{}}}},"clientId"` + strings.TrimSuffix(environment, "}") +
			`,"info":{` + application + `,"reason":"saved-session",` + ingesttest.Revision + `,"sessionLength":12,"appID":"{ec8}","platformBuildID":"b","cpucount":4,"memsize":8192,"OS":"WINNT","version":"6.1","D2DEnabled":true,"persona":"t",` +
			`"adapterDescription":"one","adapterDescription2":"two","isGPU2Active":true},"clientID":"c","ver":5}`,
			"saved-session/Firefox/nightly/42.0a1/20150701030206/20150702"},
		{"version 5 passes", `{"version":5,"type":"x","application":1,"payload":{"histograms":3},"info":{"reason":"x"}}`,
			`{"version":5,"type":"x","application":1,"payload":{"histograms":3},"info":{"reason":"x"}}`, "x/UNKNOWN/UNKNOWN/UNKNOWN/UNKNOWN/20150702"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := newTestConverter(t).ConvertJSON(t.Context(), []byte(tt.in), "20150702")
			if err != nil {
				t.Fatal(err)
			}
			if string(r.JSON) != tt.want || r.Dims.String() != tt.dims {
				t.Errorf("got  %s %s\nwant %s %s", r.Dims, r.JSON, tt.dims, tt.want)
			}
			again, err := newTestConverter(t).ConvertJSON(t.Context(), bytes.Clone(r.JSON), "20150702")
			if err != nil || string(again.JSON) != tt.want || again.Dims != r.Dims {
				t.Errorf("converted again: %v %s %s", err, again.Dims, again.JSON)
			}
		})
	}
}

func TestConvertOtherVersionsRejects(t *testing.T) {
	without := func(kind, part string) string {
		p := unifiedPing(kind)
		if !strings.Contains(p, part) {
			t.Fatalf("no %s", part)
		}
		return strings.Replace(p, part, `"x"`, 1)
	}
	const conv = ClassConversion
	tests := []struct{ in, class, message string }{
		{`{"version":6}`, conv, "Unknown unified ping version: 6"},
		{`{"version":"4"}`, conv, "Unknown unified ping version: 4"},
		{`{"version":4}`, conv, "Unified ping has no top-level 'type' field"},
		{`{"version":4,"type":""}`, conv, "Unified ping has no top-level 'type' field"},
		{without("main", `"application"`), conv, "Unified ping has no top-level 'application' field"},
		{without("main", `"payload"`), conv, "Unified ping has no top-level 'payload' field"},
		{strings.Replace(unifiedPing("main"), `"id":"i"`, `"info":null`, 1), conv, "Raw unified ping has an existing ping.info field"},
		{without("main", `"info"`), conv, "Unified main missing payload.info"},
		{without("saved-session", `"info"`), conv, "Unified saved-session missing payload.info"},
		{without("main", `"histograms"`), conv, "Unified main missing payload.histograms"},
		{without("saved-session", `"histograms"`), conv, "Unified saved-session missing payload.histograms"},
		{without("saved-session", `"environment"`), conv, "Unified saved-session ping missing 'environment' field"},
		{strings.Replace(without("saved-session", `"environment"`), `{"0":1}`, `{"7":1}`, 1), ClassBadPayload, "Found invalid bucket FLAG.values[7]"},
		{without("saved-session", `"revision"`), ClassMissingRevision, "Missing in payload: info.revision"},
		{strings.Replace(unifiedPing("saved-session"), `{"0":1}`, `{"0":[1]}`, 1), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = '[1]'"},
		{strings.Replace(unifiedPing("main"), `{"0":1}`, `{"0":1]`, 1), conv, "JSONDecodeError: unexpected ']', want ',' or '}' at byte 353"},
		{strings.Replace(unifiedPing("x"), `{"0":1}`, `{"0":1]`, 1), conv, "JSONDecodeError: unexpected ']', want ',' or '}' at byte 350"},
		{`{"version":5,"type":"x","application":{},"payload":{}}`, conv, "Missing in payload: info"},
	}
	for _, tt := range tests {
		t.Run(tt.message, func(t *testing.T) {
			r, err := newTestConverter(t).ConvertJSON(t.Context(), []byte(tt.in), "20150702")
			got, ok := errors.AsType[*Rejection](err)
			if !ok || got.Class != tt.class || got.Message != tt.message {
				t.Errorf("%s: got %v (%s), want %s: %s", tt.in, err, r.JSON, tt.class, tt.message)
			}
		})
	}
}

func TestConvertRealUnifiedPing(t *testing.T) {
	in := ingesttest.Shared(t, "raw/unified-main.v4.json")
	spec, err := revisions.Parse(ingesttest.Shared(t, "histogram_cache/mozilla-central/ad0ae007aa9e/Histograms.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"main", "saved-session"} {
		t.Run(kind, func(t *testing.T) {
			text := bytes.Replace(in, []byte(`"main"`), []byte(`"`+kind+`"`), 1)
			ref := reference{spec: spec, defs: ingesttest.Definitions{Always: spec}}
			want, _, err := ref.convert(text)
			if err != nil {
				t.Fatal(err)
			}
			c := New(ingesttest.Definitions{Always: spec}, DefaultOptions())
			r, err := c.ConvertJSON(t.Context(), text, "20150702")
			if err != nil {
				t.Fatal(err)
			}
			dec := json.NewDecoder(bytes.NewReader(r.JSON))
			dec.UseNumber()
			var got any
			if err := dec.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, any(want)) {
				t.Error("differs from the reference")
			}
			t.Logf("%d bytes became %d; dropped %v", len(text), len(r.JSON), c.Dropped)
		})
	}
}
