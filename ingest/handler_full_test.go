package ingest

import (
	"bytes"
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
	o.MaxInFlight = int64(rawlog.EntryMemory(1 + 400)) // with the overhead of an entry
	l := ingesttest.Log(t, t.TempDir(), nil)
	h := NewHandler(l, o)
	for _, step := range []struct{ n, want int }{{600, 503}, {400, 200}, {600, 503}, {400, 200}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/submit/telemetry/i", strings.NewReader(strings.Repeat("x", step.n))))
		if w.Code != step.want {
			t.Errorf("%d bytes: status %d, want %d", step.n, w.Code, step.want)
		}
	}
}

// TestBatchBudget: the budget holds for what the submissions of a batch take besides its
// body, and a batch of too many is refused before any of them takes memory.
func TestBatchBudget(t *testing.T) {
	o := DefaultHandlerOptions()
	o.MaxInFlight = 1 << 20
	h := NewHandler(ingesttest.Log(t, t.TempDir(), nil), o)

	for _, tt := range []struct{ records, want int }{{1000, 200}, {2000, 503}, {1000, 200}, {maxBatchRecords + 1, 400}} {
		w := httptest.NewRecorder()
		body := strings.Repeat("i\t1\t", tt.records)
		h.ServeHTTP(w, httptest.NewRequest("POST", "/submit/telemetry/batch", strings.NewReader(body[:len(body)-1])))
		if w.Code != tt.want {
			t.Errorf("%d records: status %d, want %d", tt.records, w.Code, tt.want)
		}
		if n := h.(*observer).inFlight.Load(); n != 0 {
			t.Errorf("%d records: %d bytes of the budget are lost", tt.records, n)
		}
	}
}

// TestBatchMemory: a batch allocates in proportion to its bytes, however short its
// submissions are.
func TestBatchMemory(t *testing.T) {
	o := DefaultHandlerOptions()
	body := bytes.Repeat([]byte("i\t1\t"), 4<<20)
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			splitBatch(body[:len(body)-1], batchFields, o)
		}
	}).AllocedBytesPerOp()
	if allocated > int64(len(body)) {
		t.Errorf("%d bytes for a batch of %d", allocated, len(body))
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
