package ingest

import (
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"

	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHandlerKeepsTheCountryOnly(t *testing.T) {
	countries, err := convert.OpenCountries(ingesttest.Countries(t))
	if err != nil {
		t.Fatal(err)
	}

	defer countries.Close()
	tests := []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"direct", "1.2.3.4:5", nil, "DE"},
		{"direct, version 6", "[2001:db8::1]:5", nil, "FJ"},
		{"version 4 in 6", "[::ffff:1.2.3.4]:5", nil, "DE"},
		{"unknown", "9.9.9.9:5", nil, "??"},
		{"not from a proxy", "9.9.9.9:5", []string{"1.2.3.4"}, "??"},
		{"from a proxy", "10.1.1.1:5", []string{"1.2.3.4"}, "DE"},
		{"through two proxies", "10.1.1.1:5", []string{"1.2.3.4, 10.9.9.9"}, "DE"},
		{"in two fields", "10.1.1.1:5", []string{"1.2.3.4", "10.9.9.9"}, "DE"},
		{"what the client wrote before", "10.1.1.1:5", []string{"1.2.3.4, 9.9.9.9"}, "??"},
		{"nonsense", "10.1.1.1:5", []string{"me"}, "??"},
		{"only proxies", "10.1.1.1:5", nil, "??"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			l := ingesttest.Log(t, dir, nil)
			o := DefaultHandlerOptions()
			o.Countries, o.TrustedProxies = countries, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			r := httptest.NewRequest("POST", "/submit/telemetry/i", strings.NewReader("{}"))
			r.RemoteAddr = tt.remote
			r.Header["X-Forwarded-For"] = tt.forwarded
			w := httptest.NewRecorder()
			NewHandler(l, o).ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Fatalf("status %d", w.Code)
			}
			l.Close()
			names, _ := filepath.Glob(filepath.Join(dir, "telemetry*"))
			raw, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			s, err := rawlog.NewReader(bytes.NewReader(raw), rawlog.Version).Next()
			if err != nil || s.Country != tt.want || s.Address != "" || s.Path != "i" || string(s.Body) != "{}" {
				t.Errorf("%+v, %v; want country %s", s, err, tt.want)
			}
			host, _, _ := net.SplitHostPort(tt.remote)
			if bytes.Contains(raw, []byte(host)) || bytes.Contains(raw, []byte("1.2.3.4")) {
				t.Error("the raw log holds an address")
			}
		})
	}
}
