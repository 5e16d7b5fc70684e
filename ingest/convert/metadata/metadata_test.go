package metadata

import (
	"encoding/json"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

func TestAppend(t *testing.T) {
	request := rawlog.AppendField(nil, rawlog.FieldMethod, "POST")
	request = rawlog.AppendField(request, rawlog.FieldQuery, "v=4")
	request = rawlog.AppendField(request, rawlog.FieldDate, "Sat, 28 Nov 2026 10:38:58 GMT")
	request = rawlog.AppendField(request, rawlog.FieldUserAgent, "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0")
	request = rawlog.AppendField(request, rawlog.FieldDebugID, "a\"b\\\n\xffé")
	request = rawlog.AppendField(request, rawlog.FieldSourceTags, "automation,mine")
	request = rawlog.AppendField(request, rawlog.FieldPingSenderVersion, "1.0")
	request = rawlog.AppendField(request, rawlog.FieldTelemetryAgent, "Glean/71.0.0")
	request = rawlog.AppendField(request, rawlog.FieldDNT, "1")

	id := "4655c7ae-eb2d-46bc-8c3d-58f619e6c7b0"
	f := &Facts{
		Received: time.Date(2026, 11, 28, 10, 39, 1, 500e6, time.UTC), DocumentID: "d", Namespace: "n", Type: "t", Version: "4",
		ClientID: []byte(id), Channel: "esr", Country: "DE", Request: rawlog.Request(request),
	}
	want := `{"submission_timestamp":"2026-11-28T10:39:01.500Z","document_id":"d","namespace":"n","document_type":"t","document_version":"4",` +
		`"sample_id":SAMPLE,"normalized_channel":"esr","clock_skew_seconds":3,"header":{"date":"Sat, 28 Nov 2026 10:38:58 GMT","dnt":"1",` +
		`"x_debug_id":"a\"b\\\u000a�é","x_pingsender_version":"1.0","x_source_tags":"automation,mine","x_telemetry_agent":"Glean/71.0.0"},` +
		`"user_agent":{"browser":"Firefox","version":"153","os":"Linux"},"geo":{"country":"DE"}}`
	sample, err := json.Marshal(crc32.ChecksumIEEE([]byte(id)) % 100)
	if err != nil {
		t.Fatal(err)
	}
	want = strings.Replace(want, "SAMPLE", string(sample), 1)
	if got := string(Append(nil, f)); got != want || !json.Valid([]byte(got)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	empty := string(Append(nil, &Facts{Received: f.Received, DocumentID: "d", Namespace: "telemetry"}))
	if want := `{"submission_timestamp":"2026-11-28T10:39:01.500Z","document_id":"d","namespace":"telemetry","header":{},"user_agent":{},"geo":{}}`; empty != want {
		t.Errorf("got  %s\nwant %s", empty, want)
	}
}

// TestEveryFieldIsDecided: a field of requests is in records, or there is a reason why not.
func TestEveryFieldIsDecided(t *testing.T) {
	notStored := map[rawlog.Field]string{
		rawlog.FieldMethod:          "it says nothing about the client",
		rawlog.FieldQuery:           "?v= is the version of the ping",
		rawlog.FieldUserAgent:       "it is reduced",
		rawlog.FieldContentEncoding: "it is about the body, which is unpacked",
	}
	decided := len(notStored)
	for _, header := range headers {
		if notStored[header.field] == "" {
			decided++
		}
	}
	// One more field exists exactly if it can be appended and read.
	next := rawlog.Field(decided + 1)
	if strings.Count(string(Append(nil, &Facts{})), "{") != 4 || next != rawlog.NumFields {
		t.Errorf("%d of %d fields are decided", decided, rawlog.NumFields-1)
	}
}

func TestParseUserAgent(t *testing.T) {
	for header, want := range map[string]UserAgent{
		"":                                     {},
		"pingsender/1.0":                       {},
		"crashreporter/153.8.0 (linux x86_64)": {},
		"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0":                                                {"Firefox", "153", "Linux"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0":                                      {"Firefox", "153", "Windows 10"},
		"Mozilla/5.0 (Android 15; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0":                                                  {"Firefox", "150", "Android"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15": {"Safari", "605", "Macintosh"},
		"Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36":                    {"Chrome", "120", "Windows 7"},
		"Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko":                                                         {"MSIE", "11", "Windows 8.1"},
		"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1)":                                                                    {"MSIE", "8", "Windows XP"},
		"Firefox AndroidSync 1.68.0.1.0 (Firefox)":                                                                              {"FxSync", "1", "Android"},
		"Firefox-iOS-Sync/10.0b1 (iPhone; iPhone OS 10.3) (Fennec)":                                                             {"FxSync", "10", "iOS"},
		"Opera/9.80 (Windows NT 6.0) Presto/2.12.388 Version/12.14":                                                             {"Opera", "12", "Windows Vista"},
		"Mozilla/5.0 (Mobile; rv:26.0) Gecko/26.0 Firefox/26.0":                                                                 {"Firefox", "26", "FirefoxOS"},
		"Firefox/Firefox/x Firefox/9":                                                                                           {"Firefox", "9", ""},
		"Safari/":                                                                                                               {"Safari", "", ""},
	} {
		if got := ParseUserAgent(header); got != want {
			t.Errorf("%s: %+v, want %+v", header, got, want)
		}
	}
}

func TestNormalizedChannel(t *testing.T) {
	for channel, want := range map[string]string{
		"": "", "release": "release", "esr": "esr", "beta": "beta", "beta-cdntest": "beta", "nightly-cck-x": "nightly", "nightly-x": "Other", "default": "Other", "Release": "Other",
	} {
		if got := NormalizedChannel(channel); got != want {
			t.Errorf("%s: %s, want %s", channel, got, want)
		}
	}
}
