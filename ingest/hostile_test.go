package ingest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/intake"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// packed returns texts as a body of that many gzip members.
func packed(texts ...string) string {
	var b bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&b)
		io.WriteString(w, text)
		w.Close()
	}
	return b.String()
}

// TestHostileSubmissions sends bodies and IDs that are wrong in every way, between
// good ones. Each is answered, ends in its class, is counted, and costs none of
// the others.
func TestHostileSubmissions(t *testing.T) {
	const good = `{"ver":2,"info":{"appName":"Firefox","appUpdateChannel":"nightly"},"histograms":{}}`
	var deflated bytes.Buffer
	z := zlib.NewWriter(&deflated)
	io.WriteString(z, good)
	z.Close()
	bomb := packed(`{"ver":2,"info":{},"a":"` + strings.Repeat("x", 32<<20) + `"}`)
	badSum := []byte(packed(good))
	badSum[len(badSum)-5] ^= 1
	id10k := strings.Repeat("i", rawlog.MaxPathBytes)
	tests := []struct {
		name, id, body string
		class          string // "": it becomes a record
	}{
		{"gzip", "gzip", packed(good), ""},
		{"gzip of two members", "members", packed(good[:20], good[20:]), ""},
		{"gzip of empty members", "empties", packed("", good, ""), ""},
		{"gzip, truncated", "truncated", packed(good)[:40], convert.ClassCorrupt},
		{"gzip, second member truncated", "truncated2", strings.TrimSuffix(packed(good[:20], good[20:]), "\x00"), convert.ClassCorrupt},
		{"gzip with a wrong sum", "sum", string(badSum), convert.ClassCorrupt},
		{"gzip and more", "more", packed(good) + "more", convert.ClassCorrupt},
		{"gzip's head only", "head", "\x1f\x8b", convert.ClassCorrupt},
		{"gzip of nothing", "nothing", packed(""), convert.ClassEmpty},
		{"gzip in gzip", "twice", packed(packed(good)), convert.ClassConversion},
		{"gzip bomb", "bomb", bomb, convert.ClassCorrupt},
		{"zlib by mistake", "zlib", deflated.String(), convert.ClassCorrupt},
		{"no JSON", "text", "hello", convert.ClassConversion},
		{"deep JSON", "deep", strings.Repeat("[", 100_000), convert.ClassConversion},
		{"control character", "control", strings.Replace(good, "nightly", "night\x01ly", 1), convert.ClassControlChar},
		{"not UTF-8", "latin1", strings.Replace(good, "nightly", "nightly\xe9", 1), ""},
		{"ID of 10 kB", id10k, good, ""},
		{"ID with a tab", "a\tb", good, convert.ClassPath},
		{"ID with a newline", "a\nb", good, convert.ClassPath},
		{"ID that is not UTF-8", "a\xff", good, convert.ClassPath},
		{"ID with escapes", "a%09b%0a%00%ff", good, ""},
	}

	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	defer data.Close()
	root, err := data.Root().OpenRoot(layout.RawDir)
	if err != nil {
		t.Fatal(err)
	}

	defer root.Close()
	log, err := rawlog.Open(root, rawlog.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}

	defer log.Close()
	h := NewHandler(log, DefaultHandlerOptions())
	want := map[string]float64{}
	records := 0
	send := func(id, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/submit/telemetry/x", strings.NewReader(body))
		r.RequestURI = submitPrefix + telemetryPart + id // as no client's library would send it
		if h.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("%.20q: status %d", id, w.Code)
		}
	}

	for i, tt := range tests {
		send(tt.id, tt.body)
		send(fmt.Sprint("between", i), good)
		records++
		if tt.class == "" {
			records++
		} else {
			want[tt.class]++
		}
	}

	log.Close()
	logs, err := intake.WaitingLogs(data.Root())
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}

	spec, err := revisions.Parse([]byte(ingesttest.DefinitionsText))
	if err != nil {
		t.Fatal(err)
	}

	st, err := worker.New(data, worker.Options{Definitions: ingesttest.Definitions{Always: spec}, Convert: convert.DefaultOptions()}).ConvertLog(t.Context(), logs[0])
	if err != nil || st.BytesLost > 0 || st.Waiting > 0 {
		t.Fatalf("%+v, %v", st, err)
	}

	stored := ingesttest.Published(t, data.Dir())
	classes := map[string]string{}
	segs, err := quarantine.Segments(t.Context(), data.Tree(), "")
	if err != nil {
		t.Fatal(err)
	}

	for _, s := range segs {
		for q, err := range quarantine.Read(data.Tree(), s) {
			if err != nil {
				t.Fatal(err)
			}
			classes[q.Path] = q.Class
			if !slices.ContainsFunc(tests, func(tt struct{ name, id, body, class string }) bool {
				return tt.id == q.Path && tt.body == string(q.Body)
			}) {
				t.Errorf("%q is not kept as it came", q.Path)
			}
		}
	}

	for i, tt := range tests {
		if tt.class != classes[tt.id] || (tt.class == "") != (stored[tt.id] == 1) {
			t.Errorf("%s: class %q and %d records, want %q", tt.name, classes[tt.id], stored[tt.id], tt.class)
		}
		if id := fmt.Sprint("between", i); stored[id] != 1 {
			t.Errorf("%s: %d times", id, stored[id])
		}
	}

	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	m.Converted(st)
	days := map[string]bool{} // two, around midnight
	for _, s := range segs {
		days[s.Dims[schema.SubmissionDate]] = true
	}

	for _, class := range slices.Sorted(maps.Keys(want)) {
		n := 0.0
		for _, channel := range []string{"nightly", schema.Unknown, schema.Other} {
			for day := range days {
				n += testutil.ToFloat64(m.invalid.WithLabelValues(class, channel, day))
			}
		}
		if n != want[class] {
			t.Errorf("counted %v of class %s, want %v", n, class, want[class])
		}
	}
	if len(stored) != records {
		t.Errorf("%d records, want %d", len(stored), records)
	}
}
