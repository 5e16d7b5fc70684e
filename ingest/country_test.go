package ingest

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// testCountries is a database in which 1.0.0.0/8 is in Germany and 2001:db8::/32
// in Fiji, behind trusted proxies in 10.0.0.0/8.
func testCountries(t *testing.T) *Countries {
	t.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-Country", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for cidr, code := range map[string]string{"1.0.0.0/8": "DE", "2001:db8::/32": "FJ"} {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Insert(network, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "countries.mmdb")
	if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := OpenCountries(name, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestHandlerKeepsTheCountryOnly(t *testing.T) {
	countries := testCountries(t)
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
			l := testLog(t, dir, nil)
			o := DefaultHandlerOptions()
			o.Countries = countries
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
			s, err := NewFrameReader(bytes.NewReader(raw), LogVersion).Next()
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

func TestConverterSetsTheCountry(t *testing.T) {
	o := DefaultConverterOptions()
	o.Countries = testCountries(t)
	conv := NewConverter(oneRevision("{}"), o)
	for _, tt := range []struct{ name, info, country, address, want string }{
		{"none", `{"OS":"x"}`, "", "", ""},
		{"of the raw log", `{"OS":"x"}`, "FJ", "", "FJ"},
		{"of an old log's address", `{"OS":"x"}`, "", "10.0.0.1, 1.2.3.4", "DE"},
		{"unknown", `{}`, "", "0.0.0.0", "??"},
		{"not what the client says", `{"geoCountry":["XX"],"OS":"x"}`, "FJ", "", "FJ"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec, err := conv.Convert(t.Context(), &Submission{
				Path: "2c2b8aa5-56b3-4e0c-a3e8-e5c1c0bcd4f9", Time: time.Now(), Country: tt.country, Address: tt.address,
				Body: []byte(`{"ver":2,"info":` + tt.info + `,"histograms":{},"simpleMeasurements":{"a":1}}`),
			})
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Info struct {
					Country string `json:"geoCountry"`
				}
				Simple map[string]int `json:"simpleMeasurements"`
			}
			if err := json.Unmarshal(rec.JSON, &got); err != nil || got.Info.Country != tt.want || got.Simple["a"] != 1 {
				t.Errorf("%s: %v; want country %q", rec.JSON, err, tt.want)
			}
			if strings.Count(string(rec.JSON), "geoCountry") > 1 {
				t.Errorf("%s: twice", rec.JSON)
			}
		})
	}
}
