package ingest

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/convert/schemas"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

func TestHandlerValidate(t *testing.T) {
	dir := t.TempDir()
	o := DefaultHandlerOptions()
	o.Schema = schema.Default()
	o.Converter = func() *convert.Converter {
		return convert.New(oneRevision(`{"H": {"kind": "boolean", "description": "x"}}`), convert.DefaultOptions())
	}

	h := NewHandler(ingesttest.Log(t, dir, nil), o)
	ping := func(histogram, repo string) string {
		return `{"ver": 1, "info": {"reason": "idle-daily", "appName": "Firefox", "revision": "https://hg.mozilla.org/` + repo +
			`/rev/0123456789ab"}, "histograms": {"H": ` + histogram + `}}`
	}

	tests := []struct {
		name, body string
		code       int
		want       string
	}{
		{"valid", ping(`{"values": {"0": 3, "1": 4}, "sum": 4}`, "mozilla-central"), 200,
			`"partition":"idle_daily/Firefox/`},
		{"record", ping(`{"values": {"0": 3, "1": 4}, "sum": 4}`, "mozilla-central"), 200, `"H":[3,4,0,4,`},
		{"bad bucket", ping(`{"values": {"7": 3}, "sum": 4}`, "mozilla-central"), 400, `{"valid":false,"class":"bad_payload","message":`},
		{"not JSON", `{`, 400, `"class":"conversion_error"`},
		{"no definitions now", ping(`{}`, "down"), 503, "Try again later"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("POST", "/validate/telemetry/2c2b8aa5-56b3-4e0c-a3e8-e5c1c0bcd4f9", strings.NewReader(tt.body)))
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.code, tt.want)
			}
		})
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("something is stored: %v", left)
	}
}

// TestValidateSaysEveryPlace: /validate checks whatever the sample is, and does not count.
func TestValidateSaysEveryPlace(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "my-app", "baseline")
	text := `{"properties":{"a":{"type":"string"},"b":{"type":"string"}}}`
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "baseline.1.schema.json"), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	checker, err := schemas.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	checker.Sample = 0

	o := DefaultHandlerOptions()
	o.Converter = func() *convert.Converter {
		options := convert.DefaultOptions()
		options.Schemas = checker
		return convert.New(oneRevision("{}"), options)
	}
	h := NewHandler(ingesttest.Log(t, t.TempDir(), nil), o)
	const places = `"schema_errors":[{"pointer":"/a","keyword":"type"},{"pointer":"/b","keyword":"type"}]`
	for _, row := range []struct {
		quarantine bool
		code       int
		begin      string
	}{{true, 400, `{"valid":false,"class":"schema_error"`}, {false, 200, `{"valid":true,`}} {
		checker.Quarantine = row.quarantine
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/validate/my-app/baseline/1/2c2b8aa5-56b3-4e0c-a3e8-e5c1c0bcd4f9", strings.NewReader(`{"a":1,"b":2}`)))
		if w.Code != row.code || !strings.HasPrefix(w.Body.String(), row.begin) || !strings.Contains(w.Body.String(), places) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if checker.Invalid.Load() > 0 {
		t.Error("it was counted")
	}
}
