package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// endedServer is what hears of jobs that ended, as far as that needs a server.
func endedServer(target string, log io.Writer) *serving {
	c := &serveCmd{}
	c.OnFailure = target
	return &serving{c: c, st: &cli.State{Log: slog.New(slog.NewTextHandler(log, nil))}, registry: prometheus.NewRegistry()}
}

// endedJobs are jobs of which two are to be reported: those that failed, and that no person
// waits for.
var endedJobs = []api.Run{
	{ID: "1", Script: "a.js", Cause: api.BySchedule, State: api.Failed, Code: 5, Error: "it threw $(touch injected) '\"; touch injected"},
	{ID: "2", Script: "a.js", Cause: api.ByRequest, State: api.Failed},
	{ID: "3", Cause: api.ByRequest, State: api.Failed},
	{ID: "4", Script: "b.js", Cause: api.ByCatchUp, State: api.Failed},
	{ID: "5", Script: "a.js", Cause: api.BySchedule, State: api.Done},
	{ID: "6", Script: "c.js", Cause: api.BySchedule, State: api.Interrupted},
	{ID: "7", Script: "c.js", Cause: api.BySchedule, State: api.Cancelled},
}

// TestOnFailureURL: a webhook hears of each failed job once, and metrics know all.
func TestOnFailureURL(t *testing.T) {
	var mu sync.Mutex
	var posted []api.Run
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var run api.Run
		if err := json.NewDecoder(r.Body).Decode(&run); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v: %v", r.Method, r.Header, err)
		}
		mu.Lock()
		defer mu.Unlock()
		posted = append(posted, run)
	}))
	defer hook.Close()

	s := endedServer(hook.URL, io.Discard)
	ended := s.jobEnded(s.jobMetrics())
	for _, run := range endedJobs {
		ended(t.Context(), run)
	}
	if len(posted) != 2 || posted[0].ID != "1" || posted[0].Error != endedJobs[0].Error || posted[1].ID != "4" {
		t.Errorf("posted %+v", posted)
	}

	// Of a script that is no part of the folder there is no gauge.
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"telemetry_job_failed a.js": 0, "telemetry_job_failed b.js": 1, "telemetry_job_failed c.js": 0,
		"telemetry_jobs_total a.js failed": 2, "telemetry_jobs_total a.js done": 1, "telemetry_jobs_total  failed": 1, "telemetry_jobs_total c.js interrupted": 1,
	} {
		if got, ok := values[name]; got != want || !ok {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if _, ok := values["telemetry_job_failed "]; ok {
		t.Error("a gauge without a script")
	}
}

// TestOnFailureCommand: a command gets the job on its stdin, and none of it as a command.
func TestOnFailureCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	s := endedServer("cat >>heard", io.Discard)
	ended := s.jobEnded(s.jobMetrics())
	for _, run := range endedJobs {
		ended(t.Context(), run)
	}
	text, err := os.ReadFile("heard")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	for _, want := range []string{"1", "4"} {
		var run api.Run
		if err := decoder.Decode(&run); err != nil || run.ID != want {
			t.Errorf("%+v, %v", run, err)
		}
	}
	if names, err := filepath.Glob("injected*"); len(names) > 0 || err != nil || decoder.More() {
		t.Errorf("%v, %v, %s", names, err, text)
	}
}

// TestOnFailureFails: what cannot be reported is logged, without the secret of an address.
func TestOnFailureFails(t *testing.T) {
	refused := httptest.NewServer(http.NotFoundHandler())
	defer refused.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for target, want := range map[string]string{
		refused.URL + "/secret":          "404",
		gone.URL + "/secret":             "refused",
		"http://user:secret@[::1:80":     "--on-failure",
		"echo it says >&2; exit 7":       "it says",
		"exec 0<&-; exit 1 # no reading": "exit status 1",
	} {
		var log bytes.Buffer
		s := endedServer(target, &log)
		s.jobEnded(s.jobMetrics())(t.Context(), endedJobs[0])
		if !strings.Contains(log.String(), want) || strings.Contains(log.String(), "secret") {
			t.Errorf("%s: %s", target, &log)
		}
	}
}
