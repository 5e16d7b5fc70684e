package convert

import (
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"

	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestConverterSetsTheCountry(t *testing.T) {
	o := DefaultOptions()
	countries, err := OpenCountries(ingesttest.Countries(t))
	if err != nil {
		t.Fatal(err)
	}
	defer countries.Close()
	o.Countries = countries
	conv := New(ingesttest.Definitions{}, o)
	for _, tt := range []struct{ name, info, country, address, want string }{
		{"none", `{"OS":"x"}`, "", "", ""},
		{"of the raw log", `{"OS":"x"}`, "FJ", "", "FJ"},
		{"of an old log's address", `{"OS":"x"}`, "", "10.0.0.1, 1.2.3.4", "DE"},
		{"unknown", `{}`, "", "0.0.0.0", "??"},
		{"not what the client says", `{"geoCountry":["XX"],"OS":"x"}`, "FJ", "", "FJ"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec, err := conv.Convert(t.Context(), &rawlog.Submission{
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
