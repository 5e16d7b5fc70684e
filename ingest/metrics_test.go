package ingest

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// TestMetricsOfInvalid counts bad submissions of more days than are told apart.
func TestMetricsOfInvalid(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	invalid := func(day string, n int64) {
		d := schema.Dims{schema.Channel: "beta", schema.SubmissionDate: day}
		m.Converted(worker.Stats{Published: []layout.Published{{Path: "invalid/bad_payload/x", Dims: d, Quarantined: true, Records: n}}})
	}

	for day := range maxDays + 2 {
		invalid(fmt.Sprintf("201309%02d", 10+day), int64(day))
	}

	invalid("20130915", 100)
	invalid("20130901", 7)
	got := map[string]float64{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range families {
		if f.GetName() != "telemetry_invalid_total" {
			continue
		}

		for _, s := range f.GetMetric() {
			key := ""
			for _, l := range s.GetLabel() {
				key += l.GetName() + "=" + l.GetValue() + " "
			}
			got[key] = s.GetCounter().GetValue()
		}
	}

	for key, want := range map[string]float64{
		"channel=beta class=bad_payload day=20130912 ": 2,
		"channel=beta class=bad_payload day=20130915 ": 105,
		"channel=beta class=bad_payload day=20130919 ": 9,
		"channel=beta class=bad_payload day=older ":    7,
	} {
		if got[key] != want {
			t.Errorf("%s%v, want %v", key, got[key], want)
		}
	}
	if len(got) != maxDays+1 {
		t.Errorf("%d series: %v", len(got), got)
	}
}
