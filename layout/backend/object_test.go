package backend_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop")) // kept connections
}

// put stores an object of random bytes and returns an open store and the bytes.
func put(t *testing.T, f *backendtest.Faults, size int) (*backend.Blob, []byte) {
	b, err := backend.OpenBlob(backendtest.S3(t, f))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	text := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(text)
	err = b.Put(t.Context(), "object", func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return b, text
}

// TestReadAhead reads an object in order and at random, while the server breaks
// off, fails and is slow, and gets every byte.
func TestReadAhead(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults *backendtest.Faults
	}{
		{"sound", &backendtest.Faults{}},
		{"cut bodies", &backendtest.Faults{CutAfter: 700_000}},
		{"failing", &backendtest.Faults{FailEach: 7}},
		{"slow", &backendtest.Faults{Slow: time.Millisecond}},
		{"cut, failing", &backendtest.Faults{CutAfter: 1_100_000, FailEach: 6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && tt.faults.FailEach > 0 {
				t.Skip("waits before it tries again")
			}
			b, text := put(t, tt.faults, 5_000_001)
			f, err := b.Open("object")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, ahead := range [][2]int64{{0, 0}, {0, f.Size()}, {1000, 3_000_000}, {4_000_000, 1 << 40}} {
				f.Ahead(ahead[0], ahead[1])
				for at := ahead[0]; at < min(ahead[1], f.Size()); {
					got := make([]byte, min(777_777, min(ahead[1], f.Size())-at))
					if n, err := f.ReadAt(got, at); err != nil || !bytes.Equal(got, text[at:at+int64(n)]) {
						t.Fatalf("read %d of %d bytes at %d: %v", n, len(got), at, err)
					}
					at += int64(len(got))
					small := make([]byte, 10) // elsewhere, meanwhile
					if _, err := f.ReadAt(small, 77); err != nil || !bytes.Equal(small, text[77:87]) {
						t.Fatalf("read elsewhere: %v", err)
					}
				}
			}
			got := make([]byte, 100)
			if n, err := f.ReadAt(got, f.Size()-10); err != io.EOF || n != 10 || !bytes.Equal(got[:n], text[len(text)-10:]) {
				t.Errorf("at the end: %d bytes, %v", n, err)
			}
			f.Ahead(0, f.Size()) // and away
		})
	}
}

// TestReadAheadGoesOnWhereItBroke: what was fetched is not fetched again.
func TestReadAheadGoesOnWhereItBroke(t *testing.T) {
	var log []string
	faults := &backendtest.Faults{CutAfter: 2_000_000}
	b, _ := put(t, faults, 5_000_000)
	f, err := b.Open("object")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	faults.Log = func(r *http.Request) { log = append(log, r.Method+" "+r.Header.Get("Range")) }
	f.Ahead(0, f.Size())
	if _, err := f.ReadAt(make([]byte, 5_000_000), 0); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"GET bytes=0-4999999", "GET bytes=2000000-4999999", "GET bytes=4000000-4999999"} {
		if i >= len(log) || log[i] != want {
			t.Fatalf("requests %q, want %s in place %d", log, want, i)
		}
	}
}

// TestReadGivesUp: a server that brings nothing is an error, and not the end of
// the object.
func TestReadGivesUp(t *testing.T) {
	if testing.Short() {
		t.Skip("waits before it tries again")
	}
	faults := &backendtest.Faults{}
	b, _ := put(t, faults, 1000)
	f, err := b.Open("object")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	faults.FailEach = 1
	f.Ahead(0, 1000)
	if _, err := f.ReadAt(make([]byte, 1000), 0); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("ReadAt of a server that fails: %v", err)
	}
}

// TestLockNeedsConditionalWrites: a store that ignores If-None-Match gives no lock.
func TestLockNeedsConditionalWrites(t *testing.T) {
	b, _ := put(t, &backendtest.Faults{Wrap: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-None-Match")
			h.ServeHTTP(w, r)
		})
	}}, 1)
	if _, err := b.Lock(t.Context(), "lock"); err == nil || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("the lock of a store without conditional writes: %v", err)
	}
}

func TestLockThatWasTakenOver(t *testing.T) {
	b, _ := put(t, &backendtest.Faults{}, 1)
	ctx := context.Background()
	l, err := b.Lock(ctx, "lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Lock(ctx, "lock"); !errors.Is(err, backend.ErrBusy) {
		t.Errorf("a second lock: %v, want ErrBusy", err)
	}
	if err := l.Held(ctx); err != nil {
		t.Error(err)
	}
	// As if it had been stale, and somebody else had made the next one.
	err = b.Put(ctx, "lock/2", func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte("held"))), nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Held(ctx); !errors.Is(err, backend.ErrBusy) {
		t.Errorf("a lock that was taken over: %v, want ErrBusy", err)
	}
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
}
