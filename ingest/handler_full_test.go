package ingest

import (
	"io"
	"sync"
	"time"

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

// TestSilentClientsKeepNobodyOut lets many clients announce bodies that they do not
// send: others still find room.
func TestSilentClientsKeepNobodyOut(t *testing.T) {
	o := DefaultHandlerOptions()
	o.MaxInFlight = 2 << 20
	h := NewHandler(ingesttest.Log(t, t.TempDir(), nil), o)
	var wg sync.WaitGroup
	end := make(chan struct{})
	for range 100 {
		wg.Go(func() {
			w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/submit/telemetry/i", silent(end))
			r.ContentLength = rawlog.DefaultMaxBody
			if h.ServeHTTP(w, r); w.Code != 400 {
				t.Errorf("a silent client got %d", w.Code)
			}
		})
	}

	for h.(*observer).inFlight.Load() < 16*firstRoom+84*scarceRoom {
		time.Sleep(time.Millisecond)
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/submit/telemetry/i", strings.NewReader(strings.Repeat("x", 50_000))))
	if w.Code != 200 {
		t.Errorf("beside silent clients: status %d", w.Code)
	}

	close(end)
	wg.Wait()
	if n := h.(*observer).inFlight.Load(); n != 0 {
		t.Errorf("%d bytes of the budget are lost", n)
	}
}

// silent is a body of which nothing comes until the channel is closed.
type silent chan struct{}

func (s silent) Read([]byte) (int, error) {
	<-s
	return 0, io.ErrUnexpectedEOF
}

func TestHandlerRefusesBelowTheReserve(t *testing.T) {
	l := ingesttest.Log(t, t.TempDir(), func(o *rawlog.Options) { o.Reserve = math.MaxInt64 })
	w := httptest.NewRecorder()
	NewHandler(l, DefaultHandlerOptions()).ServeHTTP(w, httptest.NewRequest("POST", "/submit/telemetry/i", strings.NewReader("{}")))
	if w.Code != 507 {
		t.Errorf("status %d, want 507", w.Code)
	}
}
