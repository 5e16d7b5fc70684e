package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// replayed runs replay over a raw log with the IDs id0 to id<n-1> and returns
// what it printed and its exit code.
func replayed(t *testing.T, url string, n int, flags ...string) (string, int) {
	t.Helper()
	text := rawlog.AppendHead(nil, 1)
	for i := range n {
		text = rawlog.AppendEntry(text, &rawlog.Submission{Path: fmt.Sprint("id", i), Body: []byte("\x1f\x8b not parsed"), Time: time.UnixMilli(1391385600000)}, 1)
	}

	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	st := &cli.State{
		Args: append([]string{"replay", "--to", url, name}, flags...), Env: func(string) string { return "" },
		Stdout: &out, Stderr: t.Output(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	code := run(st)
	return out.String(), code
}

// flaky answers the requests for an ID with its codes, one after the other; the last
// code is repeated.
type flaky struct {
	mu    sync.Mutex // protects what follows
	codes map[string][]int
	seen  map[string]int
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id := strings.TrimPrefix(r.URL.Path, "/submit/telemetry/")
	f.mu.Lock()
	defer f.mu.Unlock()
	code := http.StatusOK
	if c := f.codes[id]; len(c) > 0 {
		code = c[min(f.seen[id], len(c)-1)]
	}
	f.seen[id]++
	if string(body) != "\x1f\x8b not parsed" {
		code = http.StatusTeapot
	}
	if code == 0 {
		panic(http.ErrAbortHandler) // the connection breaks
	}
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "0")
	}
	w.WriteHeader(code)
}

func TestReplayTriesAgain(t *testing.T) {
	f := &flaky{seen: map[string]int{}, codes: map[string][]int{
		"id1": {503, 503, 200},
		"id2": {500, 0, 200},
		"id3": {202},
		"id4": {507}, // for ever
		"id5": {404},
	}}
	s := httptest.NewServer(f)
	defer s.Close()
	out, code := replayed(t, s.URL, 10, "--tries", "3")
	for _, want := range []string{"sent 10, skipped 0", "200 OK: 7", "202 Accepted: 1", "404 Not Found: 1", "507 Insufficient Storage: 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}

	if code != cli.ExitRejected {
		t.Errorf("exit code %d", code)
	}
	for id, want := range map[string]int{"id0": 1, "id1": 3, "id2": 3, "id3": 1, "id4": 3, "id5": 1} {
		if f.seen[id] != want {
			t.Errorf("%s was sent %d times, want %d", id, f.seen[id], want)
		}
	}
}

func TestReplaySampleIsStable(t *testing.T) {
	sample := func(flags ...string) map[string]int {
		f := &flaky{seen: map[string]int{}}
		s := httptest.NewServer(f)
		defer s.Close()
		if out, code := replayed(t, s.URL, 400, flags...); code != 0 {
			t.Fatalf("exit code %d\n%s", code, out)
		}
		return f.seen
	}
	all, half, less := sample(), sample("--sample", "50"), sample("--sample", "10", "--rate", "100000", "--clients", "1")
	if len(all) != 400 || len(half) < 150 || len(half) > 250 || len(less) < 20 || len(less) > 70 {
		t.Errorf("%d, %d and %d IDs", len(all), len(half), len(less))
	}
	for id := range less {
		if half[id] == 0 {
			t.Errorf("%s is in 10 %% and not in 50 %%", id)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2014, 2, 3, 4, 5, 6, 0, time.UTC)
	for field, want := range map[string]time.Duration{
		"": -1, "soon": -1, "-1": -1, "0": 0, "60": time.Minute,
		now.Add(time.Hour).Format(http.TimeFormat):  time.Hour,
		now.Add(-time.Hour).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(field, now); got != want {
			t.Errorf("retryAfter(%q) is %v, want %v", field, got, want)
		}
	}
}
