package revisions

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"
)

// TestFetchesPerMinute: random revisions use up the budget, and not the server; what is
// cached is found all the same.
func TestFetchesPerMinute(t *testing.T) {
	o, requests := hgServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/releases/mozilla-beta/raw-file/0123456789ab/toolkit/components/telemetry/Histograms.json" {
			w.Write([]byte(someDefinitions))
			return
		}
		http.NotFound(w, r)
	})
	o.FetchesPerMinute = 5
	c := newCache(t, o)
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	c.now = func() time.Time { return now }

	count := func(from, to int) (notFound, overBudget int) {
		t.Helper()
		for i := from; i < to; i++ {
			_, err := c.Spec(t.Context(), Ref{"mozilla-central", fmt.Sprintf("%012x", i+1)})
			switch {
			case errors.Is(err, ErrBudget) && errors.Is(err, ErrUnavailable):
				overBudget++
			case errors.Is(err, ErrNotFound):
				notFound++
			default:
				t.Fatalf("revision %d: %v", i, err)
			}
		}
		return notFound, overBudget
	}

	if _, err := c.Spec(t.Context(), someRef); err != nil {
		t.Fatal(err)
	}
	if notFound, over := count(0, 1000); notFound != 4 || over != 996 || requests.Load() != 5 {
		t.Errorf("%d not found, %d over the budget, %d requests", notFound, over, requests.Load())
	}
	if _, err := c.Spec(t.Context(), someRef); err != nil {
		t.Errorf("what is cached: %v", err)
	}

	// A minute later there is room again, also for those that were over the budget.
	now = now.Add(time.Minute)
	if notFound, over := count(500, 600); notFound != 5 || over != 95 {
		t.Errorf("a minute later: %d not found, %d over the budget", notFound, over)
	}
}

// TestStopFetching: a server that never answers does not hold up the end.
func TestStopFetching(t *testing.T) {
	asked, end := make(chan struct{}, 10), make(chan struct{})
	o, _ := hgServer(t, func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-end
	})
	defer close(end)
	c := newCache(t, o)

	result := make(chan error)
	go func() {
		_, err := c.Spec(t.Context(), someRef)
		result <- err
	}()
	<-asked
	c.StopFetching(0)
	if err := <-result; !errors.Is(err, ErrEnding) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("the request in hand: %v", err)
	}
	if _, err := c.Spec(t.Context(), Ref{"mozilla-central", "0123456789ac"}); !errors.Is(err, ErrEnding) {
		t.Errorf("the next one: %v", err)
	}
}

// TestLocal: strangers get what is on disk, also by a part of its ID, and nothing is
// requested for them.
func TestLocal(t *testing.T) {
	o, requests := hgServer(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(someDefinitions)) })
	c := newCache(t, o)
	whole := Ref{"releases/mozilla-beta", "0123456789abcdef0123"}
	if _, err := c.Spec(t.Context(), whole); err != nil {
		t.Fatal(err)
	}

	local := c.Local()
	for revision, found := range map[string]bool{"0123456789abcdef0123": true, "0123456789ab": true, "0123456789abcd": true, "0123456789ac": false, "0123456789abcdef01234": false} {
		ref := Ref{whole.Repo, revision}
		text, err := local.Raw(t.Context(), ref)
		if found && (err != nil || string(text) != someDefinitions) || !found && !errors.Is(err, ErrNotCached) {
			t.Errorf("%s: %q, %v", revision, text, err)
		}
		if _, err := local.Spec(t.Context(), ref); (err == nil) != found {
			t.Errorf("%s: %v", revision, err)
		}
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if refs, err := c.Cached(); err != nil || len(refs) != 1 {
		t.Errorf("%d revisions on disk, %v", len(refs), err)
	}
}

// TestClientsStoreEachRevisionOnce: whatever spelling of a revision strangers send, one whole
// name is stored, and nothing is requested twice.
func TestClientsStoreEachRevisionOnce(t *testing.T) {
	const whole = "0123456789abcdef0123456789abcdef01234567"
	o, requests := hgServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/mozilla-central/raw-file/"+whole+"/"+definitionsPath:
			w.Write([]byte(someDefinitions))
		case strings.HasPrefix(r.URL.Path, "/mozilla-central/json-rev/") && strings.HasPrefix(whole, path.Base(r.URL.Path)):
			fmt.Fprintf(w, `{"node": %q, "desc": "a change"}`, whole)
		case strings.HasPrefix(r.URL.Path, "/liar/json-rev/"):
			w.Write([]byte(`{"node": "ffffffffffffffffffffffffffffffffffff0000"}`))
		default:
			http.NotFound(w, r)
		}
	})
	o.Retries = 0
	c := newCache(t, o)

	for digits := minDigits; digits <= maxDigits; digits++ {
		text, err := c.Clients().Raw(t.Context(), Ref{"mozilla-central", whole[:digits]})
		if err != nil || string(text) != someDefinitions {
			t.Errorf("%d digits: %q, %v", digits, text, err)
		}
		if _, err := c.Clients().Spec(t.Context(), Ref{"mozilla-central", whole[:digits]}); err != nil {
			t.Errorf("%d digits: %v", digits, err)
		}
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests, want one for the name and one for the definitions", n)
	}
	if refs, err := c.Cached(); err != nil || len(refs) != 1 || refs[0].Revision != whole {
		t.Errorf("on disk: %v, %v", refs, err)
	}

	// What does not exist, and what is not what was named.
	if _, err := c.Clients().Spec(t.Context(), Ref{"mozilla-central", "aaaaaaaaaaaa"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown revision: %v", err)
	}
	if _, err := c.Clients().Spec(t.Context(), Ref{"liar", "aaaaaaaaaaaa"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("another revision named: %v", err)
	}

	// Offline there is no server at all.
	o.Offline, o.Server = true, ""
	offline := newCache(t, o)
	if _, err := offline.Clients().Raw(t.Context(), Ref{"mozilla-central", "aaaaaaaaaaaa"}); !errors.Is(err, ErrOffline) {
		t.Errorf("offline: %v", err)
	}
}
