package ingest

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// TestNoRequestIsQuadratic gives what reads requests ones that are larger and larger.
func TestNoRequestIsQuadratic(t *testing.T) {
	o := DefaultHandlerOptions()
	server := &handler{o: o}
	whole := NewHandler(ingesttest.Log(t, t.TempDir(), nil), o)
	everybody := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}

	requests := map[string]func(n int) (work func()){
		"hops of proxies": func(n int) func() {
			r := httptest.NewRequest("POST", "/", nil)
			r.Header["X-Forwarded-For"] = []string{strings.Repeat("192.0.2.1, ", n) + "192.0.2.1"}
			return func() { clientAddr(r, everybody) }
		},
		"headers of proxies": func(n int) func() {
			r := httptest.NewRequest("POST", "/", nil)
			for range n {
				r.Header.Add("X-Forwarded-For", "192.0.2.1")
			}
			return func() { clientAddr(r, everybody) }
		},
		"records of a batch": func(n int) func() {
			body := strings.Repeat("id\t{}\t", n) + "id\t{}"
			return func() { splitBatch([]byte(body), batchFields, o) }
		},
		"fields of a batch": func(n int) func() {
			body := strings.Repeat("\t", 8*n)
			return func() { splitBatch([]byte(body), batchDimsFields, o) }
		},
		"a nested batch": func(n int) func() {
			body := "id\t" + strings.Repeat("[", n)
			return func() { splitBatch([]byte(body), batchFields, o) }
		},
		"path": func(n int) func() {
			r := httptest.NewRequest("POST", "/submit/telemetry/"+strings.Repeat("a/", n), nil)
			return func() { server.path(httptest.NewRecorder(), r, "/submit/telemetry/") }
		},
		"routing": func(n int) func() {
			r := httptest.NewRequest("POST", "/"+strings.Repeat("submit/", n), nil)
			return func() { whole.ServeHTTP(httptest.NewRecorder(), r) }
		},
		"body in small parts": func(n int) func() {
			return func() {
				body := iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 8*n)))
				r := httptest.NewRequest(http.MethodPost, "/submit/telemetry/id", body)
				whole.ServeHTTP(httptest.NewRecorder(), r)
			}
		},
	}
	for name, prepare := range requests {
		t.Run(name, func(t *testing.T) { layouttest.RequireLinear(t, 2000, prepare) })
	}
}
