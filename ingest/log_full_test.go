package ingest

import (
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// scarceDisk has as much space as a test says.
type scarceDisk struct {
	rootDisk
	left *atomic.Int64
}

func (d scarceDisk) free() (int64, error) { return d.left.Load(), nil }

func TestHandlerRefusesBelowTheReserve(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	left := new(atomic.Int64)
	o := DefaultLogOptions()
	o.Reserve = 1000
	l, err := openLog(scarceDisk{rootDisk{root}, left}, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := NewHandler(l, DefaultHandlerOptions())
	post := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/submit/telemetry/i", strings.NewReader("{}")))
		return w.Code
	}
	for _, step := range []struct {
		left int64
		want int
	}{{999, 507}, {1000, 200}, {0, 507}, {1 << 40, 200}} {
		left.Store(step.left)
		time.Sleep(spaceEvery + 10*time.Millisecond)
		if got := post(); got != step.want {
			t.Errorf("%d bytes free: status %d, want %d", step.left, got, step.want)
		}
	}
	if err := l.Append(t.Context(), Submission{Body: make([]byte, MaxBodyLimit+1)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("Append of a huge body: %v, want ErrTooLong", err)
	}
}

func TestHandlerKeepsItsBudget(t *testing.T) {
	o := DefaultHandlerOptions()
	o.MaxInFlight = 100
	l := testLog(t, t.TempDir(), nil)
	h := NewHandler(l, o)
	for _, step := range []struct{ n, want int }{{101, 503}, {100, 200}, {101, 503}, {100, 200}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/submit/telemetry/i", strings.NewReader(strings.Repeat("x", step.n))))
		if w.Code != step.want {
			t.Errorf("%d bytes: status %d, want %d", step.n, w.Code, step.want)
		}
	}
}
