package convert

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/revisions"
)

// decode returns a JSON value with its numbers as float64, as the predecessor's
// expectations have them.
func decode(t testing.TB, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return v
}

// TestConvertEqualsThePredecessor compares with what the predecessor made of the shared
// data.
func TestConvertEqualsThePredecessor(t *testing.T) {
	for _, f := range []struct {
		log, expected string
		records       int
	}{
		{"telemetry.log.v1.one-real-ping-then-torn", "one-real-ping.expected.tsv", 1},
		{"telemetry.log.v1.100-realistic-pings", "100-realistic-pings.expected.tsv.gz", 100},
	} {
		t.Run(f.log, func(t *testing.T) {
			submissions := ingesttest.Submissions(t, ingesttest.Shared(t, "raw/"+f.log), 1)
			if len(submissions) != f.records {
				t.Errorf("%d submissions, want %d", len(submissions), f.records)
			}
			converter := New(ingesttest.Cache(t), DefaultOptions())
			equalsThePredecessor(t, converter, submissions, ingesttest.Shared(t, "raw/"+f.expected))
		})
	}
}

// TestConvertEqualsThePredecessorOnFixtures does the same with one real ping and two
// generated ones of other revisions, which are in this repository: unpacked, and with
// only those definitions that they need.
func TestConvertEqualsThePredecessorOnFixtures(t *testing.T) {
	o := revisions.DefaultOptions()
	o.Dir, o.Offline = "testdata/predecessor/histogram_cache", true
	cache, err := revisions.NewCache(o)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()

	var submissions []rawlog.Submission
	for line := range bytes.Lines(fixture(t, "submissions.tsv.gz")) {
		path, body, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
		submissions = append(submissions, rawlog.Submission{Path: string(path), Body: body})
	}
	if len(submissions) != 3 {
		t.Errorf("%d submissions, want 3", len(submissions))
	}
	equalsThePredecessor(t, New(cache, DefaultOptions()), submissions, fixture(t, "expected.tsv.gz"))
}

// fixture returns an unpacked file of testdata/predecessor.
func fixture(t *testing.T, name string) []byte {
	t.Helper()
	packed, err := os.ReadFile("testdata/predecessor/" + name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Unpack(packed, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// equalsThePredecessor converts submissions and compares them with the lines of
// expected: ID, dimensions and JSON.
func equalsThePredecessor(t *testing.T, converter *Converter, submissions []rawlog.Submission, expected []byte) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(expected))
	lines.Buffer(nil, 1<<20)
	for i, s := range submissions {
		s.Time = time.Date(2013, 9, 10, 23, 59, 59, 0, time.UTC)
		record, err := converter.Convert(t.Context(), &s)
		if err != nil {
			t.Fatalf("submission %d: %v", i, err)
		}
		if !lines.Scan() {
			t.Fatal("more records than expected")
		}

		want := strings.SplitN(lines.Text(), "\t", 3)
		if string(record.ID) != want[0] || record.Dims.String() != want[1] {
			t.Errorf("record %d: %s %s, want %s %s", i, record.ID, record.Dims, want[0], want[1])
		}
		if !reflect.DeepEqual(decode(t, record.JSON), decode(t, []byte(want[2]))) {
			t.Errorf("record %d: the JSON differs", i)
		}
		if bytes.ContainsAny(record.JSON, "\r\n") {
			t.Errorf("record %d has line ends", i)
		}
		if record.Mismatched != 0 {
			t.Errorf("record %d: mismatched dimensions %b", i, record.Mismatched)
		}
	}

	if lines.Scan() {
		t.Error("fewer records than expected")
	}
	for d, n := range converter.Dropped {
		if d.Reason != histogram.DropUnknown {
			t.Errorf("%s dropped %d times: %s", d.Name, n, d.Reason)
		}
	}
}

func newTestConverter(t testing.TB) *Converter {
	t.Helper()
	spec, err := revisions.Parse([]byte(ingesttest.DefinitionsText))
	if err != nil {
		t.Fatal(err)
	}
	return New(ingesttest.Definitions{Always: spec}, DefaultOptions())
}

func TestConvertClassic(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"flag", ingesttest.Ping(`"FLAG":{"range":[1,2],"bucket_count":3,"histogram_type":3,"values":{"0":1,"1":0},"sum":0,"sum_squares_lo":0,"sum_squares_hi":0}`),
			ingesttest.Converted(`"FLAG":[1,0,0,0,-1,-1,0,0]`)},
		{"startup", ingesttest.Ping(`"STARTUP_FLAG":{"values":{"1":1},"sum":1}`), ingesttest.Converted(`"STARTUP_FLAG":[0,1,0,1,-1,-1,-1,-1]`)},
		{"any order of everything", ingesttest.Ping(`"GC":{"log_sum_squares":1.50,"sum":1e2,"values":{"640":3,"0":2,"25":1},"log_sum":-0.25,"sum_squares_hi":9,"sum_squares_lo":8}`),
			ingesttest.Converted(`"GC":[2,0,1,3,0,1e2,-0.25,1.50,8,9]`)},
		{"no buckets", ingesttest.Ping(`"GC":{"values":{}},"FLAG":{"values":{}}`), ingesttest.Converted(`"GC":[0,0,0,0,0,-1,-1,-1,-1,-1],"FLAG":[0,0,0,-1,-1,-1,-1,-1]`)},
		{"last bucket, large count", ingesttest.Ping(`"LIN":{"values":{"40":1152921504606846976}}`), ingesttest.Converted(`"LIN":[0,0,0,0,1152921504606846976,-1,-1,-1,-1,-1]`)},
		{"unknown is dropped", ingesttest.Ping(`"NO":5,"FLAG":{"values":{"0":1}},"NEITHER":{}`), ingesttest.Converted(`"FLAG":[1,0,0,-1,-1,-1,-1,-1]`)},
		{"other layout is dropped", ingesttest.Ping(`"FLAG":{"range":[1,3],"values":{"0":1}},"LIN":{"bucket_count":6,"values":{"7":1}},"GC":{"histogram_type":1,"values":{"0":"x"}}`), ingesttest.Converted(``)},
		{"sized by a constant", ingesttest.Ping(`"SIZED":{"range":[1,4],"bucket_count":5,"histogram_type":1,"values":{"3":7},"sum":21}`), ingesttest.Converted(`"SIZED":[21,-1,-1,-1,-1]`)},
		{"last duplicate counts", ingesttest.Ping(`"FLAG":{"values":{"0":1},"values":{"0":9,"1":2,"0":3},"sum":1,"sum":2},"GC":{"values":{}},"FL\u0041G":{"values":{}}`),
			ingesttest.Converted(`"GC":[0,0,0,0,0,-1,-1,-1,-1,-1],"FL\u0041G":[0,0,0,-1,-1,-1,-1,-1]`)},
		{"null sum", ingesttest.Ping(`"FLAG":{"values":{},"sum":null}`), ingesttest.Converted(`"FLAG":[0,0,0,-1,-1,-1,-1,-1]`)},
		{"untouched", `{"\u0061":1.0,"ver":1.0,"b":[1e5, 1152921504606846976,1e400],"c":"é\ud83d\ude00\ud800\/","histograms":{},` + ingesttest.Info + `,"keyedHistograms":{"A":{"b":{"values":{}}}},"z":{}}`,
			`{"\u0061":1.0,"ver":2,"b":[1e5, 1152921504606846976,1e400],"c":"é\ud83d\ude00\ud800\/","histograms":{},` + ingesttest.Info + `,"keyedHistograms":{"A":{"b":{"values":{}}}},"z":{}}`},
		{"duplicates at the top", `{"ver":7,"x":1,"histograms":{"FLAG":3},"info":null,"x":2,"histograms":{},"ver":1,` + ingesttest.Info + `}`, `{"x":2,"histograms":{},"ver":2,` + ingesttest.Info + `}`},
		{"line ends", "{\n \"ver\" : 1 ,\r\n\t\"a b\": [1, 2, tru\u0065],\n\"histograms\":{ \"FLAG\" : { \"values\" : { \"0\" : 1 } } }, " + ingesttest.Info + "\n}\n",
			`{"ver":2,"a b":[1,2,true],"histograms":{"FLAG":[1,0,0,-1,-1,-1,-1,-1]},` + ingesttest.Info + `}`},
		{"not UTF-8", "{\"ver\":2,\"a\":\"\xff\"," + ingesttest.Info + "}", `{"ver":2,"a":"` + "\uFFFD" + `",` + ingesttest.Info + `}`},
		{"neither histograms nor revision", `{"ver":1,"info":{"appName":"Fennec"}}`, `{"ver":2,"info":{"appName":"Fennec"}}`},
		{"converted passes", ingesttest.Converted(`"FLAG":[1,0,0,0,-1,-1,0,0]`), ingesttest.Converted(`"FLAG":[1,0,0,0,-1,-1,0,0]`)},
		{"ver 5 passes", `{"ver":5,"info":{}}`, `{"ver":5,"info":{}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newTestConverter(t)
			r, err := c.ConvertJSON(t.Context(), []byte(tt.in), "20130910")
			if err != nil {
				t.Fatal(err)
			}
			if string(r.JSON) != tt.want {
				t.Errorf("got  %s\nwant %s", r.JSON, tt.want)
			}
		})
	}
}

func TestConvertRejects(t *testing.T) {
	const conv = ClassConversion
	revision := func(url string) string {
		return `{"ver":1,"histograms":{},"info":{"revision":"` + url + `"}}`
	}
	tests := []struct{ in, class, message string }{
		{`{}`, conv, "Missing payload version"},
		{`[1]`, conv, "Missing payload version"},
		{`{"ver":1}`, conv, "Missing in payload: info"},
		{`{"ver":2}`, conv, "Missing in payload: info"},
		{`{"ver":1,"info":null}`, conv, "Missing in payload: info"},
		{`{"ver":4,` + ingesttest.Info + `}`, conv, "Unknown payload version: 4"},
		{`{"ver":"1",` + ingesttest.Info + `}`, conv, "Unknown payload version: 1"},
		{`{"ver":null,` + ingesttest.Info + `}`, conv, "Unknown payload version: None"},
		{`{"ver":true,` + ingesttest.Info + `}`, conv, "Unknown payload version: True"},
		{`{"ver":1,"info":{},"histograms":{}}`, ClassMissingRevision, "Missing in payload: info.revision"},
		{`{"ver":1,` + ingesttest.Info + `}`, conv, "Missing in payload: histograms"},
		{revision(`/rev/`), ClassRevisionRepo, "Invalid revision URL: /rev/"},
		{revision(`http://hg.mozilla.org/x/rev/tip`), conv, "Invalid revision URL: http://hg.mozilla.org/x/rev/tip"},
		{revision(`http://evil.example/x/rev/0123456789ab`), conv, "Invalid revision URL: http://evil.example/x/rev/0123456789ab"},
		{revision(`http://hg.mozilla.org/../rev/0123456789ab`), conv, "Invalid revision URL: http://hg.mozilla.org/../rev/0123456789ab"},
		{revision(`http://hg.mozilla.org/x/rev/404404404404`), conv, "Failed to fetch histograms for URL: http://hg.mozilla.org/x/rev/404404404404"},
		{ingesttest.Ping(`"FLAG":{}`), conv, "Bad Histogram key for revision http://hg.mozilla.org/try/rev/0123456789ab: 'values'"},
		{ingesttest.Ping(`"ODD":{"values":{}}`), conv, `Bad Histogram definition for revision http://hg.mozilla.org/try/rev/0123456789ab: definition of ODD: don't know how to handle a histogram of kind "odd"`},
		{ingesttest.Ping(`"FLAG":{"values":{"0":1.5}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = '1.5'"},
		{ingesttest.Ping(`"FLAG":{"values":{"0":1.0}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = '1.0'"},
		{ingesttest.Ping(`"FLAG":{"values":{"0":"x"}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = 'x'"},
		{ingesttest.Ping(`"FLAG":{"values":{"0":null}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = 'None'"},
		{ingesttest.Ping(`"FLAG":{"values":{"0":true}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = 'True'"},
		{ingesttest.Ping(`"FLAG":{"values":{"0":9223372036854775808}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = '9223372036854775808'"},
		{ingesttest.Ping(`"FLAG":{"values":{"0":-1}}`), ClassBadPayload, "Found negative bucket value: FLAG.values[0] = '-1'"},
		{ingesttest.Ping(`"STARTUP_FLAG":{"values":{"0":1,"3":1}}`), ClassBadPayload, "Found invalid bucket STARTUP_FLAG.values[3]"},
		{ingesttest.Ping(`"FLAG":{"values":{"a":1}}`), ClassBadPayload, "Found invalid bucket FLAG.values[a]"},
		{ingesttest.Ping(`"FLAG":{"values":{"":1}}`), ClassBadPayload, "Found invalid bucket FLAG.values[]"},
		{ingesttest.Ping(`"FLAG":{"values":{},"sum":"x"}`), ClassBadPayload, "Found non-numeric sum: FLAG.sum = 'x'"},
		{ingesttest.Ping(`"FLAG":3`), conv, "Not an object: histograms.FLAG"},
		{ingesttest.Ping(`"FLAG":{"values":[]}`), conv, "Not an object: histograms.FLAG.values"},
		{`{"ver":2,"info":{"appName":{}}}`, conv, "Invalid dimension: appName"},
		{`{"ver":2,"info":[]}`, conv, "Not an object: info"},
		{`{"ver":1`, conv, "JSONDecodeError: unexpected end of JSON at byte 8"},
		{`{"ver":1}}`, conv, "JSONDecodeError: unexpected '}', want the end at byte 9"},
		{`{"ver":1,"a":NaN}`, conv, "JSONDecodeError: unexpected 'N', want a value at byte 13"},
		{`{"ver":1,"a":-Infinity}`, conv, "JSONDecodeError: unexpected 'I', want a digit at byte 14"},
		{"{\"ver\":1,\"a\":\"\x01\"}", ClassControlChar, "JSONDecodeError: invalid control character at byte 14"},
		{`{"ver":` + strings.Repeat("[", 1000), conv, "JSONDecodeError: nested deeper than 512 at byte 518"},
		{ingesttest.Ping(`"FLAG":{"values":{"7":1}},"GC":{"values":{}`), conv, "JSONDecodeError: unexpected end of JSON at byte 246"},
		{ingesttest.Ping(`"FLAG":{"values":{"7":1}},"GC":{"values":{]}`), conv, `JSONDecodeError: unexpected ']', want a string at byte 65`},
		{ingesttest.Ping(`"NO":{"values":{]}`), conv, `JSONDecodeError: unexpected ']', want a string at byte 39`},
		{ingesttest.Converted(`"NO":{]`), conv, `JSONDecodeError: unexpected ']', want a string at byte 29`},
	}
	for _, tt := range tests {
		t.Run(tt.message, func(t *testing.T) {
			r, err := newTestConverter(t).ConvertJSON(t.Context(), []byte(tt.in), "20130910")
			got, ok := errors.AsType[*Rejection](err)
			if !ok || got.Class != tt.class || got.Message != tt.message {
				t.Errorf("%s: got %v (%s), want %s: %s", tt.in, err, r.JSON, tt.class, tt.message)
			}
		})
	}
}
