package ingest

import (
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"

	"math"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandlerKeepsItsBudget(t *testing.T) {
	o := DefaultHandlerOptions()
	o.MaxInFlight = 100
	l := ingesttest.Log(t, t.TempDir(), nil)
	h := NewHandler(l, o)
	for _, step := range []struct{ n, want int }{{101, 503}, {100, 200}, {101, 503}, {100, 200}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/submit/telemetry/i", strings.NewReader(strings.Repeat("x", step.n))))
		if w.Code != step.want {
			t.Errorf("%d bytes: status %d, want %d", step.n, w.Code, step.want)
		}
	}
}

func TestHandlerRefusesBelowTheReserve(t *testing.T) {
	l := ingesttest.Log(t, t.TempDir(), func(o *rawlog.Options) { o.Reserve = math.MaxInt64 })
	w := httptest.NewRecorder()
	NewHandler(l, DefaultHandlerOptions()).ServeHTTP(w, httptest.NewRequest("POST", "/submit/telemetry/i", strings.NewReader("{}")))
	if w.Code != 507 {
		t.Errorf("status %d, want 507", w.Code)
	}
}
