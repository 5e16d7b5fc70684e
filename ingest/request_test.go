package ingest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

// TestHandlerKeepsTheRequest sends a submission with every header that is kept, and some
// that are not, and reads the raw log.
func TestHandlerKeepsTheRequest(t *testing.T) {
	dir := t.TempDir()
	l := ingesttest.Log(t, dir, nil)
	s := testServer(t, dir, l)
	long := strings.Repeat("x", 3000)
	headers := "Content-Length: 2\r\nDate: Sat, 28 Nov 2026 10:38:58 GMT\r\nUser-Agent: pingsender/1.0\r\nX-Telemetry-Agent: Glean/71.0.0 (python on Linux)\r\n" +
		"X-Debug-ID: my-tag\r\nX-Source-Tags: automation,mine\r\nX-PingSender-Version: 1.0\r\nDNT: " + long + "\r\nContent-Encoding: br\r\nCookie: secret\r\nX-Forwarded-For: 192.0.2.7\r\n"
	if got := exchange(t, s, post("/submit/telemetry/i?v=4&w", headers, "{}")); got != "200 OK" {
		t.Fatal(got)
	}
	l.Close()

	names, err := filepath.Glob(filepath.Join(dir, layout.RawDir, "*.finished"))
	if err != nil || len(names) != 1 {
		names, _ = filepath.Glob(filepath.Join(dir, "*.finished"))
	}
	if len(names) != 1 {
		t.Fatalf("raw logs %q", names)
	}
	raw, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	sub, err := rawlog.NewReader(bytes.NewReader(raw), rawlog.VersionOf(names[0])).Next()
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[rawlog.Field]string{
		rawlog.FieldMethod:            "POST",
		rawlog.FieldQuery:             "v=4&w",
		rawlog.FieldDate:              "Sat, 28 Nov 2026 10:38:58 GMT",
		rawlog.FieldUserAgent:         "pingsender/1.0",
		rawlog.FieldTelemetryAgent:    "Glean/71.0.0 (python on Linux)",
		rawlog.FieldDebugID:           "my-tag",
		rawlog.FieldSourceTags:        "automation,mine",
		rawlog.FieldPingSenderVersion: "1.0",
		rawlog.FieldDNT:               long[:rawlog.MaxFieldBytes],
		rawlog.FieldContentEncoding:   "br",
	} {
		if got := sub.Request.Get(field); got != want {
			t.Errorf("field %d: %q, want %q", field, got, want)
		}
	}
	if strings.Contains(string(raw), "secret") || strings.Contains(string(raw), "192.0.2.7") {
		t.Error("the raw log has a cookie or an address")
	}
}
