package main

import (
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// overviewAnswer is what the overview shows. The page makes rates of the counters.
type overviewAnswer struct {
	Time   string `json:"time"`
	Submit string `json:"submit"` // URL for submissions
	Status any    `json:"status"`
	Ready  bool   `json:"ready"`
	// Counters has the numbers of /metrics, by name and then by labels, "" without any.
	Counters map[string]map[string]float64 `json:"counters"`
}

func (p *page) overview(r *http.Request) (any, error) {
	status, ready := p.status()
	families, err := p.metrics.Gather()
	if err != nil {
		return nil, err
	}

	counters := map[string]map[string]float64{}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "telemetry_") {
			continue
		}
		values := map[string]float64{}
		sums := map[string]float64{}
		for _, metric := range family.GetMetric() {
			values[labelsOf(metric)] = numberOf(metric)
			if metric.Histogram != nil {
				sums[labelsOf(metric)] = metric.Histogram.GetSampleSum()
			}
		}
		if len(sums) > 0 {
			counters[family.GetName()+"_sum"] = sums
		}
		counters[family.GetName()] = values
	}
	return overviewAnswer{p.now().UTC().Format("2006-01-02T15:04:05.000Z"), p.submit(), status, ready, counters}, nil
}

// labelsOf returns the values of a metric's labels, with spaces between.
func labelsOf(metric *dto.Metric) string {
	var values []string
	for _, label := range metric.GetLabel() {
		values = append(values, label.GetValue())
	}
	return strings.Join(values, " ")
}

// numberOf returns a metric's value; of a histogram, how many values it has.
func numberOf(metric *dto.Metric) float64 {
	switch {
	case metric.Counter != nil:
		return metric.Counter.GetValue()
	case metric.Gauge != nil:
		return metric.Gauge.GetValue()
	}
	return float64(metric.GetHistogram().GetSampleCount())
}
