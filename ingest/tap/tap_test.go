package tap

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/forget"
)

const forgottenClient = "1b2c38f3-52b6-4f0c-9f0e-0b7a3c0e6a51"

// testTap returns a Tap without definitions and filter, and its address.
func testTap(t *testing.T) (*Tap, string) {
	t.Helper()
	set := &forget.Set{}
	id, ok := forget.ParseID([]byte(forgottenClient))
	if !ok {
		t.Fatal("no ID")
	}
	set.Add(forget.Request{ID: id, Time: time.Now()})
	tap := New(Options{
		Conversion: func() (*decide.Conversion, error) {
			return decide.NewConversion(ingesttest.Definitions{}, convert.DefaultOptions(), nil), nil
		},
		Forgotten: func(context.Context) (*forget.Set, error) { return set, nil },
		Log:       slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	mux := http.NewServeMux()
	tap.Register(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(tap.Close) // before the server, which waits for its requests
	return tap, server.URL + "/tap"
}

// open begins to listen and returns what reads the next event.
func open(t *testing.T, address string) (next func() Event) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %s", address, response.Status)
	}
	lines := bufio.NewReader(response.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != ": listening\n" {
		t.Fatalf("%s begins with %q, %v", address, line, err)
	}
	return func() (event Event) {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if text, ok := strings.CutPrefix(line, "data: "); ok {
				if err := json.Unmarshal([]byte(text), &event); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				return event
			}
		}
	}
}

// submission returns one with these headers.
func submission(path, body, tag, sourceTags string) *rawlog.Submission {
	request := rawlog.AppendField(nil, rawlog.FieldDebugID, tag)
	request = rawlog.AppendField(request, rawlog.FieldSourceTags, sourceTags)
	return &rawlog.Submission{Path: path, Body: []byte(body), Time: time.UnixMilli(1795897144045), Request: rawlog.Request(request)}
}

// TestOutcomes: a listener sees what becomes of a submission, and why, and nothing of
// those that it did not select.
func TestOutcomes(t *testing.T) {
	tap, address := testTap(t)
	next := open(t, address+"?tag=mine")
	for _, c := range []struct {
		name, path, body string
		want             Event
	}{
		{"a record", "/my-app/baseline/1/a", `{"client_info":{"app_channel":"beta"}}`, Event{Outcome: "published", Namespace: "my-app", Type: "baseline", ID: "a"}},
		{"no JSON", "/my-app/baseline/1/b", `{"client`, Event{Outcome: "quarantined", Class: convert.ClassConversion, Text: `{"client`}},
		{"forgotten", "/my-app/baseline/1/c", `{"client_info":{"client_id":"` + forgottenClient + `"}}`, Event{Outcome: "forgotten"}},
	} {
		tap.Show(submission("/my-app/baseline/1/other", "{}", "", ""))
		tap.Show(submission(c.path, c.body, "mine", ""))
		got := next()
		if got.Path != c.path || got.Outcome != c.want.Outcome || got.Class != c.want.Class || got.Text != c.want.Text || got.Tag != "mine" || got.Bytes != len(c.body) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if got.Outcome == "published" != (got.Partition != "") || got.Outcome == "published" != (got.Reason == "") {
			t.Errorf("%s: %+v: a record has a partition, all else a reason", c.name, got)
		}
		if c.want.Text == "" && len(got.Ping) == 0 {
			t.Errorf("%s: no ping", c.name)
		}
	}
}

// TestSelection: each parameter selects.
func TestSelection(t *testing.T) {
	sub := submission("/my-app/baseline/1/a", `{"client_info":{"app_channel":"beta","app_display_version":"7.1"}}`, "mine", "automation, perf")
	tap, _ := testTap(t)
	for query, is := range map[string]bool{
		"":                                 true,
		"tag=mine":                         true,
		"tag=min":                          false,
		"source_tag=automation":            true,
		"source_tag=perf":                  true,
		"source_tag=auto":                  false,
		"namespace=my-app":                 true,
		"namespace=my":                     false,
		"type=baseline&tag=mine":           true,
		"type=metrics":                     false,
		"where=appUpdateChannel%3Dbeta":    true,
		"where=appUpdateChannel%3Dnightly": false,
		"where=appUpdateChannel%3Dbeta&where=appVersion%3D8..9": false,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		want, err := parseSelection(values)
		if err != nil {
			t.Fatal(err)
		}
		selected := want.selects(sub)
		if selected {
			if _, selected, err = tap.event(t.Context(), sub, &want); err != nil {
				t.Fatal(err)
			}
		}
		if selected != is {
			t.Errorf("%q: selected %v, want %v", query, selected, is)
		}
	}
}

// TestRequests: what is no selection is an error, and there is a limit of listeners.
func TestRequests(t *testing.T) {
	tap, address := testTap(t)
	get := func(query string) int {
		response, err := http.Get(address + query)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	for _, query := range []string{"?tga=x", "?where=x", "?where=nodim%3D1"} {
		if code := get(query); code != http.StatusBadRequest {
			t.Errorf("%s: %d", query, code)
		}
	}
	for range maxListeners {
		open(t, address)
	}
	if code := get(""); code != http.StatusServiceUnavailable {
		t.Errorf("one listener too many: %d", code)
	}

	// A Tap that ends, ends them all; one that is not there shows nothing.
	tap.Close()
	ingesttest.Wait(t, func() bool { return tap.listening.Load() == 0 })
	var none *Tap
	none.Show(&rawlog.Submission{})
}

// TestQueue: submissions do not wait for a listener that does not read; what it misses
// is counted.
func TestQueue(t *testing.T) {
	tap, _ := testTap(t)
	l, ok := tap.listen(selection{})
	if !ok {
		t.Fatal("no listener")
	}
	for range maxQueue + 3 {
		tap.Show(&rawlog.Submission{Body: []byte("{}")})
	}
	if got := l.missed.Load(); got != 3 {
		t.Errorf("missed %d, want 3", got)
	}

	// Large bodies take the room of many.
	l, ok = tap.listen(selection{})
	if !ok {
		t.Fatal("no listener")
	}
	for range 4 {
		tap.Show(&rawlog.Submission{Body: make([]byte, maxQueueBytes/2)})
	}
	if got := l.missed.Load(); got != 2 {
		t.Errorf("missed %d large ones, want 2", got)
	}
}
