package ingest

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

var update = flag.Bool("update", false, "write the golden file of current clients")

// TestClientsAtTheEdge sends each request of a current client to a listener, and converts
// what is stored. The golden file has its answer and the dimensions of its record.
func TestClientsAtTheEdge(t *testing.T) {
	requests := ingesttest.ClientRequests(t)
	dir := t.TempDir()
	l := ingesttest.Log(t, dir, nil)
	s := testServerOf(t, NewHandler(l, DefaultHandlerOptions()))
	before := time.Now().Truncate(time.Millisecond)

	answers := map[string]int{}
	for _, request := range requests {
		r, err := http.NewRequest(request.Method, s.URL+request.Path, bytes.NewReader(request.Body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = request.Headers.Clone()
		if r.Header.Get("User-Agent") == "" {
			r.Header.Set("User-Agent", "") // else there is one of Go's
		}
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		answers[request.Name] = resp.StatusCode
	}
	l.Close()

	after := time.Now()
	stored := map[string]rawlog.Submission{}
	for _, submission := range ingesttest.StoredSubmissions(t, dir) {
		if submission.Time.Before(before) || submission.Time.After(after) {
			t.Errorf("%s: received at %v", submission.Path, submission.Time)
		}
		stored[submission.Path] = submission
	}

	var golden strings.Builder
	c := convert.New(ingesttest.Definitions{}, convert.DefaultOptions())
	for _, request := range requests {
		fmt.Fprintf(&golden, "%s\t%d\t", request.Name, answers[request.Name])
		if request.Body == nil {
			golden.WriteString("no record\n")
			continue
		}
		sent := request.Submission()
		submission, ok := stored[sent.Path]
		delete(stored, sent.Path)
		if !ok || !bytes.Equal(submission.Body, sent.Body) || submission.Request != sent.Request {
			t.Errorf("%s: stored %t, with the request %q, sent %q", request.Name, ok, submission.Request, sent.Request)
			continue
		}

		record, err := c.Convert(t.Context(), &submission)
		if err != nil {
			t.Errorf("%s: %v", request.Name, err)
			continue
		}
		stamp := `"submission_timestamp":"` + submission.Time.UTC().Format("2006-01-02T15:04:05.000Z") + `"`
		if !bytes.Contains(record.JSON, []byte(stamp)) {
			t.Errorf("%s: the record does not say %s", request.Name, stamp)
		}
		dims := schema.Default().Partition(record.Dims).String()
		fmt.Fprintln(&golden, dims[:strings.LastIndexByte(dims, '/')]) // without the day
	}
	if len(stored) > 0 {
		t.Errorf("%d more are stored", len(stored))
	}

	const file = "testdata/clients.golden"
	if *update {
		if err := os.WriteFile(file, []byte(golden.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || golden.String() != string(want) {
		t.Errorf("differs from %s: go test ./ingest -run TestClientsAtTheEdge -update, and review the diff: %v\n%s", file, err, golden.String())
	}
}
