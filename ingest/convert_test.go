package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/revisions"
)

const sharedData = "../../shared/data"

// shared returns a file of ../shared/data, unpacked if its name ends in .gz; the
// test is skipped where it is missing, but in CI it fails.
func shared(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(sharedData, name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if strings.HasSuffix(name, ".gz") {
		gz, err := gzip.NewReader(bytes.NewReader(b))
		if err == nil {
			b, err = io.ReadAll(gz)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// sharedCache is the warm revision cache of ../shared/data.
func sharedCache(t testing.TB) *revisions.Cache {
	t.Helper()
	o := revisions.DefaultOptions()
	o.Dir, o.Offline = filepath.Join(sharedData, "histogram_cache"), true
	c, err := revisions.NewCache(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// submissionsOf returns the submissions of a raw log, their bodies copied.
func submissionsOf(t testing.TB, log []byte, version int) (subs []Submission) {
	t.Helper()
	r := NewFrameReader(bytes.NewReader(log), version)
	for {
		s, err := r.Next()
		if err == io.EOF {
			return subs
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Body = bytes.Clone(s.Body)
		subs = append(subs, s)
	}
}

// decode returns a JSON value with its numbers as float64, as the predecessor's
// expectations have them.
func decode(t testing.TB, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return v
}

func TestConvertEqualsThePredecessor(t *testing.T) {
	for _, f := range []struct {
		log, expected string
		records       int
	}{
		{"telemetry.log.v1.one-real-ping-then-torn", "one-real-ping.expected.tsv", 1},
		{"telemetry.log.v1.100-realistic-pings", "100-realistic-pings.expected.tsv.gz", 100},
	} {
		t.Run(f.log, func(t *testing.T) {
			subs := submissionsOf(t, shared(t, "raw/"+f.log), 1)
			want := bufio.NewScanner(bytes.NewReader(shared(t, "raw/"+f.expected)))
			want.Buffer(nil, 1<<20)
			c := NewConverter(sharedCache(t), DefaultConverterOptions())
			if len(subs) != f.records {
				t.Errorf("%d submissions, want %d", len(subs), f.records)
			}
			for i, s := range subs {
				s.Time = time.Date(2013, 9, 10, 23, 59, 59, 0, time.UTC)
				r, err := c.Convert(t.Context(), &s)
				if err != nil {
					t.Fatalf("submission %d: %v", i, err)
				}
				if !want.Scan() {
					t.Fatal("more records than expected")
				}
				w := strings.SplitN(want.Text(), "\t", 3)
				if string(r.ID) != w[0] || r.Dims.String() != w[1] {
					t.Errorf("record %d: %s %s, want %s %s", i, r.ID, r.Dims, w[0], w[1])
				}
				if !reflect.DeepEqual(decode(t, r.JSON), decode(t, []byte(w[2]))) {
					t.Errorf("record %d: the JSON differs", i)
				}
				if bytes.ContainsAny(r.JSON, "\r\n") {
					t.Errorf("record %d has line ends", i)
				}
				if r.Mismatched != 0 {
					t.Errorf("record %d: mismatched dimensions %b", i, r.Mismatched)
				}
			}
			if want.Scan() {
				t.Error("fewer records than expected")
			}
			for d, n := range c.Dropped {
				if d.Reason != DropUnknown {
					t.Errorf("%s dropped %d times: %s", d.Name, n, d.Reason)
				}
			}
		})
	}
}

const someDefinitions = `{
	"FLAG": {"kind": "flag"}, "LIN": {"kind": "linear", "high": 40, "n_buckets": 5}, "SIZED": {"kind": "enumerated", "n_values": "kCount"},
	"ODD": {"kind": "odd"},
	"GC": {"kind": "exponential", "high": 16384, "n_buckets": 5}
}`

// fixedDefinitions answers for every revision; those with 404 in them are not
// found, those with 503 cannot be asked for.
type fixedDefinitions struct{ spec *revisions.Spec }

func (f fixedDefinitions) Spec(_ context.Context, r revisions.Ref) (*revisions.Spec, error) {
	switch {
	case strings.Contains(r.Revision, "404"):
		return nil, fmt.Errorf("%s: %w", r, revisions.ErrNotFound)
	case strings.Contains(r.Revision, "503"):
		return nil, fmt.Errorf("%s: %w", r, revisions.ErrUnavailable)
	}
	return f.spec, nil
}

func newTestConverter(t testing.TB) *Converter {
	t.Helper()
	spec, err := revisions.Parse([]byte(someDefinitions))
	if err != nil {
		t.Fatal(err)
	}
	return NewConverter(fixedDefinitions{spec}, DefaultConverterOptions())
}

const (
	rev  = `"revision":"http://hg.mozilla.org/try/rev/0123456789ab"`
	info = `"info":{"reason":"idle-daily","appName":"Firefox","appVersion":"23.0.1","appUpdateChannel":"release","appBuildID":"2013",` + rev + `}`
)

func ping(histograms string) string {
	return `{"ver":1,"histograms":{` + histograms + `},` + info + `}`
}

func converted(histograms string) string {
	return strings.Replace(ping(histograms), `"ver":1`, `"ver":2`, 1)
}

func TestConvertClassic(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"flag", ping(`"FLAG":{"range":[1,2],"bucket_count":3,"histogram_type":3,"values":{"0":1,"1":0},"sum":0,"sum_squares_lo":0,"sum_squares_hi":0}`),
			converted(`"FLAG":[1,0,0,0,-1,-1,0,0]`)},
		{"startup", ping(`"STARTUP_FLAG":{"values":{"1":1},"sum":1}`), converted(`"STARTUP_FLAG":[0,1,0,1,-1,-1,-1,-1]`)},
		{"any order of everything", ping(`"GC":{"log_sum_squares":1.50,"sum":1e2,"values":{"640":3,"0":2,"25":1},"log_sum":-0.25,"sum_squares_hi":9,"sum_squares_lo":8}`),
			converted(`"GC":[2,0,1,3,0,1e2,-0.25,1.50,8,9]`)},
		{"no buckets", ping(`"GC":{"values":{}},"FLAG":{"values":{}}`), converted(`"GC":[0,0,0,0,0,-1,-1,-1,-1,-1],"FLAG":[0,0,0,-1,-1,-1,-1,-1]`)},
		{"last bucket, large count", ping(`"LIN":{"values":{"40":1152921504606846976}}`), converted(`"LIN":[0,0,0,0,1152921504606846976,-1,-1,-1,-1,-1]`)},
		{"unknown is dropped", ping(`"NO":5,"FLAG":{"values":{"0":1}},"NEITHER":{}`), converted(`"FLAG":[1,0,0,-1,-1,-1,-1,-1]`)},
		{"other layout is dropped", ping(`"FLAG":{"range":[1,3],"values":{"0":1}},"LIN":{"bucket_count":6,"values":{"7":1}},"GC":{"histogram_type":1,"values":{"0":"x"}}`), converted(``)},
		{"sized by a constant", ping(`"SIZED":{"range":[1,4],"bucket_count":5,"histogram_type":1,"values":{"3":7},"sum":21}`), converted(`"SIZED":[21,-1,-1,-1,-1]`)},
		{"last duplicate counts", ping(`"FLAG":{"values":{"0":1},"values":{"0":9,"1":2,"0":3},"sum":1,"sum":2},"GC":{"values":{}},"FL\u0041G":{"values":{}}`),
			converted(`"GC":[0,0,0,0,0,-1,-1,-1,-1,-1],"FL\u0041G":[0,0,0,-1,-1,-1,-1,-1]`)},
		{"null sum", ping(`"FLAG":{"values":{},"sum":null}`), converted(`"FLAG":[0,0,0,-1,-1,-1,-1,-1]`)},
		{"untouched", `{"\u0061":1.0,"ver":1.0,"b":[1e5, 1152921504606846976,1e400],"c":"é\ud83d\ude00\ud800\/","histograms":{},` + info + `,"keyedHistograms":{"A":{"b":{"values":{}}}},"z":{}}`,
			`{"\u0061":1.0,"ver":2,"b":[1e5, 1152921504606846976,1e400],"c":"é\ud83d\ude00\ud800\/","histograms":{},` + info + `,"keyedHistograms":{"A":{"b":{"values":{}}}},"z":{}}`},
		{"duplicates at the top", `{"ver":7,"x":1,"histograms":{"FLAG":3},"info":null,"x":2,"histograms":{},"ver":1,` + info + `}`, `{"x":2,"histograms":{},"ver":2,` + info + `}`},
		{"line ends", "{\n \"ver\" : 1 ,\r\n\t\"a b\": [1, 2, tru\u0065],\n\"histograms\":{ \"FLAG\" : { \"values\" : { \"0\" : 1 } } }, " + info + "\n}\n",
			`{"ver":2,"a b":[1,2,true],"histograms":{"FLAG":[1,0,0,-1,-1,-1,-1,-1]},` + info + `}`},
		{"not UTF-8", "{\"ver\":2,\"a\":\"\xff\"," + info + "}", `{"ver":2,"a":"` + "\uFFFD" + `",` + info + `}`},
		{"neither histograms nor revision", `{"ver":1,"info":{"appName":"Fennec"}}`, `{"ver":2,"info":{"appName":"Fennec"}}`},
		{"converted passes", converted(`"FLAG":[1,0,0,0,-1,-1,0,0]`), converted(`"FLAG":[1,0,0,0,-1,-1,0,0]`)},
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
		{`{"ver":4,` + info + `}`, conv, "Unknown payload version: 4"},
		{`{"ver":"1",` + info + `}`, conv, "Unknown payload version: 1"},
		{`{"ver":null,` + info + `}`, conv, "Unknown payload version: None"},
		{`{"ver":true,` + info + `}`, conv, "Unknown payload version: True"},
		{`{"ver":1,"info":{},"histograms":{}}`, ClassMissingRevision, "Missing in payload: info.revision"},
		{`{"ver":1,` + info + `}`, conv, "Missing in payload: histograms"},
		{revision(`/rev/`), ClassRevisionRepo, "Invalid revision URL: /rev/"},
		{revision(`http://hg.mozilla.org/x/rev/tip`), conv, "Invalid revision URL: http://hg.mozilla.org/x/rev/tip"},
		{revision(`http://evil.example/x/rev/0123456789ab`), conv, "Invalid revision URL: http://evil.example/x/rev/0123456789ab"},
		{revision(`http://hg.mozilla.org/../rev/0123456789ab`), conv, "Invalid revision URL: http://hg.mozilla.org/../rev/0123456789ab"},
		{revision(`http://hg.mozilla.org/x/rev/404404404404`), conv, "Failed to fetch histograms for URL: http://hg.mozilla.org/x/rev/404404404404"},
		{ping(`"FLAG":{}`), conv, "Bad Histogram key for revision http://hg.mozilla.org/try/rev/0123456789ab: 'values'"},
		{ping(`"ODD":{"values":{}}`), conv, `Bad Histogram definition for revision http://hg.mozilla.org/try/rev/0123456789ab: definition of ODD: don't know how to handle a histogram of kind "odd"`},
		{ping(`"FLAG":{"values":{"0":1.5}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = '1.5'"},
		{ping(`"FLAG":{"values":{"0":1.0}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = '1.0'"},
		{ping(`"FLAG":{"values":{"0":"x"}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = 'x'"},
		{ping(`"FLAG":{"values":{"0":null}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = 'None'"},
		{ping(`"FLAG":{"values":{"0":true}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = 'True'"},
		{ping(`"FLAG":{"values":{"0":9223372036854775808}}`), ClassBadPayload, "Found non-integer bucket value: FLAG.values[0] = '9223372036854775808'"},
		{ping(`"FLAG":{"values":{"0":-1}}`), ClassBadPayload, "Found negative bucket value: FLAG.values[0] = '-1'"},
		{ping(`"STARTUP_FLAG":{"values":{"0":1,"3":1}}`), ClassBadPayload, "Found invalid bucket STARTUP_FLAG.values[3]"},
		{ping(`"FLAG":{"values":{"a":1}}`), ClassBadPayload, "Found invalid bucket FLAG.values[a]"},
		{ping(`"FLAG":{"values":{"":1}}`), ClassBadPayload, "Found invalid bucket FLAG.values[]"},
		{ping(`"FLAG":{"values":{},"sum":"x"}`), ClassBadPayload, "Found non-numeric sum: FLAG.sum = 'x'"},
		{ping(`"FLAG":3`), conv, "Not an object: histograms.FLAG"},
		{ping(`"FLAG":{"values":[]}`), conv, "Not an object: histograms.FLAG.values"},
		{`{"ver":2,"info":{"appName":{}}}`, conv, "Invalid dimension: appName"},
		{`{"ver":2,"info":[]}`, conv, "Not an object: info"},
		{`{"ver":1`, conv, "JSONDecodeError: unexpected end of JSON at byte 8"},
		{`{"ver":1}}`, conv, "JSONDecodeError: unexpected '}', want the end at byte 9"},
		{`{"ver":1,"a":NaN}`, conv, "JSONDecodeError: unexpected 'N', want a value at byte 13"},
		{`{"ver":1,"a":-Infinity}`, conv, "JSONDecodeError: unexpected 'I', want a digit at byte 14"},
		{"{\"ver\":1,\"a\":\"\x01\"}", ClassControlChar, "JSONDecodeError: invalid control character at byte 14"},
		{`{"ver":` + strings.Repeat("[", 1000), conv, "JSONDecodeError: nested deeper than 512 at byte 518"},
		{ping(`"FLAG":{"values":{"7":1}},"GC":{"values":{}`), conv, "JSONDecodeError: unexpected end of JSON at byte 246"},
		{ping(`"FLAG":{"values":{"7":1}},"GC":{"values":{]}`), conv, `JSONDecodeError: unexpected ']', want a string at byte 65`},
		{ping(`"NO":{"values":{]}`), conv, `JSONDecodeError: unexpected ']', want a string at byte 39`},
		{converted(`"NO":{]`), conv, `JSONDecodeError: unexpected ']', want a string at byte 29`},
	}
	for _, tt := range tests {
		t.Run(tt.message, func(t *testing.T) {
			r, err := newTestConverter(t).ConvertJSON(t.Context(), []byte(tt.in), "20130910")
			got, ok := errors.AsType[*Reject](err)
			if !ok || got.Class != tt.class || got.Message != tt.message {
				t.Errorf("%s: got %v (%s), want %s: %s", tt.in, err, r.JSON, tt.class, tt.message)
			}
		})
	}
}
