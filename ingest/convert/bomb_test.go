package convert

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// members returns n members of an object, of which format makes each from its number.
func members(n int, format string) string {
	var text strings.Builder
	for i := range n {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return text.String()
}

// bombs make hostile pings of a size that grows with n. Each is wide in another place.
var bombs = map[string]func(n int) string{
	"top level": func(n int) string {
		return strings.Replace(ingesttest.Ping(``), "{", "{"+members(n, `"m#":{"a":#}`)+",", 1)
	},
	"top level with escapes": func(n int) string {
		return strings.Replace(ingesttest.Ping(``), "{", "{"+members(n, `"m\u0041#":[]`)+",", 1)
	},
	"top level with one name": func(n int) string {
		return strings.Replace(ingesttest.Ping(``), "{", "{"+members(n, `"m":1`)+",", 1)
	},
	"info": func(n int) string {
		return strings.Replace(ingesttest.Ping(``), `"info":{`, `"info":{`+members(n, `"m#":"#"`)+",", 1)
	},
	"many infos": func(n int) string {
		return strings.Replace(ingesttest.Ping(``), "{", "{"+members(n, `"info":{}`)+",", 1)
	},
	"many objects of histograms": func(n int) string {
		return strings.Replace(ingesttest.Ping(``), "{", "{"+members(n, `"histograms":{}`)+",", 1)
	},
	"unknown histograms":   func(n int) string { return ingesttest.Ping(members(n, `"NO#":{"values":{}}`)) },
	"one histogram often":  func(n int) string { return ingesttest.Ping(members(n, `"FLAG":{"values":{"0":1}}`)) },
	"histogram, buckets":   func(n int) string { return ingesttest.Ping(`"FLAG":{"values":{` + members(n, `"#":1`) + `}}`) },
	"histogram, one often": func(n int) string { return ingesttest.Ping(`"LIN":{"values":{` + members(n, `"0":1`) + `}}`) },
	"histogram, members":   func(n int) string { return ingesttest.Ping(`"LIN":{` + members(n, `"m#":1`) + `,"values":{}}`) },
	"histogram, sums":      func(n int) string { return ingesttest.Ping(`"LIN":{` + members(n, `"sum":1`) + `,"values":{}}`) },
	"unified, payload": func(n int) string {
		return strings.Replace(unifiedPing("main"), `"payload":{`, `"payload":{`+members(n, `"m#":{"a":1}`)+",", 1)
	},
	"unified, many payloads": func(n int) string {
		return strings.Replace(unifiedPing("main"), "{", "{"+members(n, `"payload":{}`)+",", 1)
	},
	"unified, environment": func(n int) string {
		return strings.Replace(unifiedPing("main"), "{", `{"environment":{`+members(n, `"m#":{"a":1}`)+"},", 1)
	},
	"Firefox OS": func(n int) string {
		return strings.Replace(examples[payloadVersion{verMember, 3}], "{", "{"+members(n, `"deviceinfo.m#":1`)+",", 1)
	},
	"line ends":    func(n int) string { return ingesttest.Ping(``) + strings.Repeat("\n ", n) },
	"no UTF-8":     func(n int) string { return `{"a":"` + strings.Repeat("\xff", 8*n) + `"}` },
	"open arrays":  func(n int) string { return `{"a":` + strings.Repeat("[", 8*n) },
	"open objects": func(n int) string { return strings.Repeat(`{"info":`, n) },
	"open string":  func(n int) string { return `{"a":"` + strings.Repeat(`\"`, 8*n) },
	"a number":     func(n int) string { return `{"ver":` + strings.Repeat("9", 8*n) + `}` },
	"revisions": func(n int) string {
		return strings.Repeat(`"histograms":{"revision":"`, n)
	},
}

// TestNoPingIsQuadratic converts hostile pings, plain and packed.
func TestNoPingIsQuadratic(t *testing.T) {
	converter := newTestConverter(t)
	converter.ConvertJSON(t.Context(), []byte(ingesttest.Ping(`"FLAG":{"values":{"0":1}}`)), "20130910") // so that its revision is known
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			layouttest.RequireLinear(t, 1000, func(n int) func() {
				s := &rawlog.Submission{Path: "id", Body: []byte(bomb(n)), Time: time.Unix(1378857540, 0)}
				return func() { converter.Convert(t.Context(), s) } // rejected or not, it must not take long
			})
		})
	}

	t.Run("gzip", func(t *testing.T) {
		layouttest.RequireLinear(t, 100_000, func(n int) func() {
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			fmt.Fprint(w, `{"a":"`, strings.Repeat(" ", n), `"}`)
			w.Close()
			s := &rawlog.Submission{Path: "id", Body: packed.Bytes()}
			return func() { converter.Convert(t.Context(), s) }
		})
	})
	t.Run("members of gzip", func(t *testing.T) {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		w.Close()
		layouttest.RequireLinear(t, 1000, func(n int) func() {
			s := &rawlog.Submission{Path: "id", Body: bytes.Repeat(packed.Bytes(), n)}
			return func() { converter.Convert(t.Context(), s) }
		})
	})
	t.Run("path", func(t *testing.T) {
		layouttest.RequireLinear(t, 1000, func(n int) func() {
			s := &rawlog.Submission{Path: strings.Repeat("%2f/", n), Body: []byte("{}")}
			return func() { converter.Convert(t.Context(), s) }
		})
	})
}

// TestNoIndexIsQuadratic calls what reads objects with wide ones.
func TestNoIndexIsQuadratic(t *testing.T) {
	functions := map[string]func(text []byte, o *jsonscan.Object){
		"Index":   func(text []byte, o *jsonscan.Object) { o.Index(text, 0) },
		"Find":    func(_ []byte, o *jsonscan.Object) { o.Find("missing") },
		"Verify":  func(_ []byte, o *jsonscan.Object) { o.Verify() },
		"Valid":   func(text []byte, _ *jsonscan.Object) { jsonscan.Valid(text) },
		"Skip":    func(text []byte, _ *jsonscan.Object) { jsonscan.Skip(text, 0) },
		"Trusted": func(text []byte, _ *jsonscan.Object) { jsonscan.SkipTrusted(text, 0) },
		"Unquote": func(text []byte, _ *jsonscan.Object) { jsonscan.Unquote(text) },
		"Counts": func(text []byte, o *jsonscan.Object) {
			o.Index(text, 0) // forgets what was found
			for i := range o.Members {
				o.Counts(i)
			}
		},
		"withoutRepeats": func(text []byte, _ *jsonscan.Object) { withoutRepeats(text) },
	}

	for name, function := range functions {
		for _, format := range []string{`"m#":[1,{"a":"b"}]`, `"m":"\u0041\\"`, `"\u0041#":"\""`} {
			t.Run(name+" "+format, func(t *testing.T) {
				layouttest.RequireLinear(t, 1000, func(n int) func() {
					text := []byte("{" + members(n, format) + "}")
					o := new(jsonscan.Object)
					o.Index(text, 0)
					return func() {
						for i := range o.Members {
							o.Members[i].Unchecked = true
						}
						function(text, o)
					}
				})
			})
		}
	}
}
