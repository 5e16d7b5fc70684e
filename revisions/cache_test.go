package revisions

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const someDefinitions = `{"A": {"kind": "flag"}}`

var someRef = Ref{"releases/mozilla-beta", "0123456789ab"}

// hgServer answers every request with answer. It returns options for a cache of its
// definitions, and how many requests have been sent with them: on a busy machine
// one may be over before it has arrived.
func hgServer(t *testing.T, answer http.HandlerFunc) (o Options, requests *atomic.Int64) {
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	sent := &counting{next: s.Client().Transport}
	o = DefaultOptions()
	o.Server, o.Dir, o.RetryDelay = s.URL, t.TempDir(), time.Millisecond
	o.Client = &http.Client{Transport: sent, CheckRedirect: sameHost}
	return o, &sent.requests
}

// counting counts requests.
type counting struct {
	next     http.RoundTripper
	requests atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return c.next.RoundTrip(r)
}

func newCache(t *testing.T, o Options) *Cache {
	c, err := NewCache(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestCacheMemoryDiskServer(t *testing.T) {
	o, requests := hgServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/releases/mozilla-beta/raw-file/0123456789ab/toolkit/components/telemetry/Histograms.json" {
			t.Errorf("asked for %s", r.URL.Path)
		}

		w.Write([]byte(someDefinitions))
	})

	c := newCache(t, o)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if s, err := c.Spec(t.Context(), someRef); err != nil || s.Lookup([]byte("A")) == nil {
				t.Errorf("Spec: %v, %v", s, err)
			}
		})
	}

	wg.Wait()
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}

	file := filepath.Join(o.Dir, "releases/mozilla-beta/0123456789ab/Histograms.json")
	if b, err := os.ReadFile(file); err != nil || string(b) != someDefinitions {
		t.Errorf("on disk: %q, %v", b, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 2 { // its checksum, too
		t.Errorf("left behind: %v", entries)
	}

	// Another process finds it on disk, offline too, and shares one Spec among
	// revisions with the same text.
	o.Offline = true
	same := filepath.Join(o.Dir, "mozilla-central/aaaaaaaaaaaa/Histograms.json")
	os.MkdirAll(filepath.Dir(same), 0o755)
	os.WriteFile(same, []byte(someDefinitions), 0o644)
	c = newCache(t, o)
	a, errA := c.Spec(t.Context(), someRef)
	b, errB := c.Spec(t.Context(), Ref{"mozilla-central", "aaaaaaaaaaaa"})
	if errA != nil || errB != nil || a != b {
		t.Errorf("two revisions of one text: %p (%v), %p (%v)", a, errA, b, errB)
	}
	if raw, err := c.Raw(t.Context(), someRef); err != nil || string(raw) != someDefinitions {
		t.Errorf("Raw = %q, %v", raw, err)
	}
	if _, err := c.Spec(t.Context(), Ref{"try", "bbbbbbbbbbbb"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("offline: %v", err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want still 1", n)
	}
}

func TestCacheReplacesDamagedFile(t *testing.T) {
	o, _ := hgServer(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(someDefinitions)) })
	file := filepath.Join(o.Dir, someRef.file())
	os.MkdirAll(filepath.Dir(file), 0o755)
	os.WriteFile(file, []byte(`{"A": {"ki`), 0o644)
	if _, err := newCache(t, o).Spec(t.Context(), someRef); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(file); string(b) != someDefinitions {
		t.Errorf("on disk: %q", b)
	}
}

func TestCacheFailures(t *testing.T) {
	tests := []struct {
		name     string
		answer   http.HandlerFunc
		want     error
		requests int64 // for two calls in a row
	}{
		{"404", http.NotFound, ErrNotFound, 1},
		{"500", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, ErrUnavailable, 3},
		{"truncated", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte(someDefinitions))
		}, ErrUnavailable, 3},
		{"cut short", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(someDefinitions[:9])) }, ErrUnavailable, 3},
		{"a page", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>")) }, ErrUnavailable, 3},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.2:1/", http.StatusFound)
		}, ErrUnavailable, 3},
		{"bad definitions", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(`{"A": x}`)) }, ErrBadDefinitions, 1},
		{"slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ErrUnavailable, 3},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, requests := hgServer(t, tt.answer)
			if tt.name == "slow" {
				o.Timeout = 50 * time.Millisecond
			}
			c := newCache(t, o)
			start := time.Now()
			c.now = func() time.Time { return start }
			for range 2 {
				if _, err := c.Spec(t.Context(), someRef); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			}
			if n := requests.Load(); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
			c.now = func() time.Time { return start.Add(2 * time.Hour) }
			c.Spec(t.Context(), someRef)
			if n := requests.Load(); n != 2*tt.requests {
				t.Errorf("%d requests after the failure expired, want %d", n, 2*tt.requests)
			}
			if entries, _ := os.ReadDir(o.Dir); len(entries) != 0 {
				t.Errorf("cached: %v", entries)
			}
		})
	}
}

func TestCacheWaitersOutliveTheAsker(t *testing.T) {
	arrived := make(chan struct{}, 2)
	var o Options
	o, requests := hgServer(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		if len(arrived) == 1 { // the first request hangs until its client leaves
			<-r.Context().Done()
			return
		}

		w.Write([]byte(someDefinitions))
	})

	c := newCache(t, o)
	first, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Spec(first, someRef); !errors.Is(err, context.Canceled) {
			t.Errorf("the one who gave up: %v", err)
		}
	})

	for len(arrived) == 0 {
		time.Sleep(time.Millisecond)
	}

	wg.Go(func() {
		if _, err := c.Spec(t.Context(), someRef); err != nil {
			t.Errorf("the one who waited: %v", err)
		}
	})

	cancel()
	wg.Wait()
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestCacheAsksNoServerThatIsDown(t *testing.T) {
	down := true
	o, requests := hgServer(t, func(w http.ResponseWriter, r *http.Request) {
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}

		w.Write([]byte(someDefinitions))
	})

	c := newCache(t, o)
	start := time.Now()
	c.now = func() time.Time { return start }
	refs := []Ref{{"a", "000000000001"}, {"b", "000000000001"}, {"c", "000000000001"}}
	for _, r := range refs {
		if _, err := c.Spec(t.Context(), r); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v: %v", r, err)
		}
	}
	if n := requests.Load(); n != 3 { // one revision, with its repetitions
		t.Errorf("%d requests, want 3", n)
	}

	down = false
	c.now = func() time.Time { return start.Add(o.UnavailableTTL + time.Second) }
	for _, r := range refs {
		if _, err := c.Spec(t.Context(), r); err != nil {
			t.Errorf("%v: %v", r, err)
		}
	}
}

func TestCacheEvicts(t *testing.T) {
	o, requests := hgServer(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(someDefinitions)) })
	o.MaxSpecs, o.Dir = 2, ""
	c := newCache(t, o)
	refs := []Ref{{"a", "000000000001"}, {"b", "000000000001"}, {"a", "000000000001"}, {"c", "000000000001"}, {"a", "000000000001"}, {"b", "000000000001"}}
	for _, r := range refs {
		if _, err := c.Spec(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if n := requests.Load(); n != 4 || len(c.entries) != 2 {
		t.Errorf("%d requests, %d entries; want 4 and 2", n, len(c.entries))
	}
}

func TestNewCacheRefuses(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"scheme":   func(o *Options) { o.Server = "ftp://x" },
		"no host":  func(o *Options) { o.Server = "" },
		"no specs": func(o *Options) { o.MaxSpecs = 0 },
		"a file":   func(o *Options) { o.Dir = "cache_test.go" },
	} {
		o := DefaultOptions()
		change(&o)
		if c, err := NewCache(o); err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
}
