package ingest

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// TestMetricsAreBounded has clients name channels and methods of their own: the
// number of series does not follow them.
func TestMetricsAreBounded(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	for i := range 1000 {
		m.Converted(worker.Stats{Published: []layout.Published{{Dims: schema.Dims{schema.Channel: fmt.Sprint("channel", i)}, Records: 1}}})
	}
	if n := testutil.CollectAndCount(m.records); n != maxChannels+1 {
		t.Errorf("%d series of records, want %d", n, maxChannels+1)
	}
	if n := testutil.ToFloat64(m.records.WithLabelValues(schema.Other)); n != 1000-maxChannels {
		t.Errorf("%v records are of other channels, want %d", n, 1000-maxChannels)
	}

	// Made-up channels have not taken the places of real ones.
	m.Converted(worker.Stats{Published: []layout.Published{{Dims: schema.Dims{schema.Channel: "nightly"}, Records: 1}}})
	if n := testutil.ToFloat64(m.records.WithLabelValues("nightly")); n != 1 {
		t.Errorf("%v records of nightly, want 1", n)
	}

	o := DefaultHandlerOptions()
	o.Metrics = m
	h := NewHandler(ingesttest.Log(t, t.TempDir(), nil), o)
	before := testutil.CollectAndCount(m.requests)
	for i := range 100 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(fmt.Sprint("METHOD", i), fmt.Sprint("/path", i), nil))
	}
	if after := testutil.CollectAndCount(m.requests); after != before {
		t.Errorf("%d series of requests, %d before", after, before)
	}
}

func TestRequestLogIsSampled(t *testing.T) {
	var log bytes.Buffer
	o := DefaultHandlerOptions()
	o.RequestLog, o.RequestLogEvery = slog.New(slog.NewJSONHandler(&log, nil)), 10
	h := NewHandler(ingesttest.Log(t, t.TempDir(), nil), o)
	for range 95 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/nothing", nil))
	}
	if n := strings.Count(log.String(), "\n"); n != 9 {
		t.Errorf("%d lines for 95 requests, want every tenth:\n%s", n, &log)
	}
	if !strings.Contains(log.String(), `"method":"GET","url":"/nothing","code":404`) {
		t.Errorf("%s", &log)
	}
}
