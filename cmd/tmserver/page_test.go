package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/cmd/tmserver/admin"
	"github.com/aitgithub/telemetry-server/engine/measures"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/revisions"
)

// hostileText is what a client could send in every field.
const hostileText = "<script>alert(1)</script>\u202e\"';--`${7}`"

// openPage returns the handler of a page over a store with some records.
func openPage(t *testing.T) http.Handler {
	t.Helper()
	data := layouttest.Open(t)
	writer, err := data.NewWriter("log1", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	ping, err := json.Marshal(object{
		"clientId":    "c",
		"environment": object{"system": object{"os": object{"name": hostileText}}},
		"payload":     object{"processes": object{"parent": object{"scalars": object{hostileText: strings.Repeat("x", 10_000)}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"first", "<b>second</b>"} {
		if err := writer.Add(layouttest.Channel("nightly"), []byte(id), ping); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}

	options := revisions.DefaultOptions()
	options.Dir = t.TempDir()
	options.Offline = true
	definitions, err := revisions.NewCache(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { definitions.Close() })
	days, err := measures.Open(data, definitions.Local(), time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := days.Update(t.Context()); err != nil {
		t.Fatal(err)
	}

	p := &page{
		folder:  &dataFolder{Data: data, definitions: definitions},
		metrics: prometheus.NewRegistry(),
		status:  func() (any, bool) { return serverStatus{Status: "OK"}, true },
		days:    days,
		submit:  func() string { return "http://127.0.0.1:1" },
		now:     time.Now,
	}
	return newAdmin(p.metrics, admin.Guard{Listen: "127.0.0.1:0", Now: time.Now}, http.NotFoundHandler(), p.register)
}

func ask(handler http.Handler, path string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Host = "localhost"
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

// Every endpoint answers with JSON, is documented, and says what is wrong with a request.
func TestPageEndpoints(t *testing.T) {
	handler := openPage(t)
	document, err := os.ReadFile("../../docs/page.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, endpoint := range pageEndpoints {
		if !strings.Contains(string(document), "| `"+endpoint.pattern+"` |") {
			t.Errorf("%s is not in docs/page.md", endpoint.pattern)
		}
		path := strings.TrimPrefix(endpoint.pattern, "GET ")
		answer := ask(handler, path+"?measure=none&class=none")
		if !json.Valid(answer.Body.Bytes()) || answer.Header().Get("Content-Type") != "application/json" || answer.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v %s", path, answer.Code, answer.Header(), answer.Body)
		}
	}

	for path, want := range map[string]int{
		"/api/v1/measures/sums":                         400,
		"/api/v1/measures/sums?measure=a&colour=red":    400,
		"/api/v1/measures/sums?measure=a&by=colour":     400,
		"/api/v1/measures/sums?measure=a&from=today":    400,
		"/api/v1/quarantine/examples":                   400,
		"/api/v1/store/records":                         404,
		"/api/v1/store/records?path=../../etc/passwd":   404,
		"/api/v1/store/records?path=state/measures/all": 404,
		"/nothing":                             404,
		"/":                                    200,
		"/main.js":                             200,
		"/vendor/uplot/dist/uPlot.iife.min.js": 200,
		"/vendor/packages.json":                404,
		"/vendor/uplot/LICENSE":                404,
	} {
		if answer := ask(handler, path); answer.Code != want {
			t.Errorf("%s: %d %s, want %d", path, answer.Code, answer.Body, want)
		}
	}
}

// What clients sent comes back as it is, inside JSON.
func TestPageShowsRecords(t *testing.T) {
	handler := openPage(t)
	var store struct{ Segments []storeSegment }
	if err := json.Unmarshal(ask(handler, "/api/v1/store").Body.Bytes(), &store); err != nil {
		t.Fatal(err)
	}
	if len(store.Segments) != 1 || store.Segments[0].Records != 2 || store.Segments[0].Bytes == 0 {
		t.Fatalf("store: %+v", store)
	}

	var records struct{ Records []storeRecord }
	path := "/api/v1/store/records?from=1&path=" + url.QueryEscape(store.Segments[0].Path)
	if err := json.Unmarshal(ask(handler, path).Body.Bytes(), &records); err != nil {
		t.Fatal(err)
	}
	if len(records.Records) != 1 || records.Records[0].ID != "<b>second</b>" || records.Records[0].Bytes < 10_000 {
		t.Errorf("records: %d %.300v", len(records.Records), records)
	}

	var names struct{ Measures []measures.Name }
	if err := json.Unmarshal(ask(handler, "/api/v1/measures").Body.Bytes(), &names); err != nil {
		t.Fatal(err)
	}
	if len(names.Measures) != 1 || !strings.HasPrefix(names.Measures[0].Name, "<script>") {
		t.Fatalf("measures: %+v", names)
	}
	var sums measures.Result
	if err := json.Unmarshal(ask(handler, "/api/v1/measures/sums?by=os&measure="+url.QueryEscape(names.Measures[0].Name)).Body.Bytes(), &sums); err != nil {
		t.Fatal(err)
	}
	if len(sums.Groups) != 1 || sums.Groups[0].Pings != 2 || sums.Groups[0].Clients != 1 || len(sums.Groups[0].Labels) != 1 {
		t.Errorf("sums: %+v", sums)
	}
}
