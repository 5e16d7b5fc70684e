package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// TestFollowBackfill: a backfill that goes on is followed, not started again, also while the
// server restarts; and it goes on when its client is interrupted.
func TestFollowBackfill(t *testing.T) {
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	backfill := api.Backfill{Range: api.Range{From: "20140203", To: "20140204"}, State: api.Running, Next: "20140204", Created: created}
	days := []api.Day{
		{Date: "20140202", Run: "other", Change: api.ChangeNew, Made: created.Add(time.Hour)},
		{Date: "20140203", Run: "first", Change: api.ChangeChanged, Added: 2, Removed: 1, Made: created.Add(time.Hour)},
		{Date: "20140204", Run: "old", Change: api.ChangeNew, Made: created.Add(-time.Hour)},
	}
	run := func(ctx context.Context, answer func(request int, w http.ResponseWriter)) (stdout, stderr string, err error) {
		t.Helper()
		requests := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method != http.MethodGet:
				t.Errorf("%s %s", r.Method, r.URL)
			case r.URL.Path == "/api/v1/jobs":
				io.WriteString(w, `{"jobs":[]}`)
			default:
				requests++
				answer(requests, w)
			}
		}))
		defer server.Close()

		var out, said bytes.Buffer
		st := &cli.State{Env: func(string) string { return "" }, Stdout: &out, Stderr: &said, Now: time.Now}
		c := runCmd{Script: "days.js", Server: server.URL, Backfill: "20140203..20140204", Dedup: "none", Progress: "none", shareFlags: shareFlags{Sample: 100, SampleClients: 100}}
		err = c.Run(ctx, st)
		return out.String(), said.String(), err
	}

	out, _, err := run(t.Context(), func(request int, w http.ResponseWriter) {
		switch request {
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case 4:
			backfill.State = api.Done
			days[2] = api.Day{Date: "20140204", Run: "second", Change: api.ChangeSame, Made: created.Add(2 * time.Hour)}
		}
		json.NewEncoder(w).Encode(api.Backfilled{Backfill: &backfill, Days: days})
	})
	if want := "20140203\tchanged\t2\t1\tfirst\n20140204\tsame\t0\t0\tsecond\n"; out != want || err != nil {
		t.Errorf("%q, %v, want %q", out, err, want)
	}

	// Interrupted: nothing is cancelled, and what was made is written.
	backfill.State = api.Running
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, _, err = run(ctx, func(request int, w http.ResponseWriter) {
		json.NewEncoder(w).Encode(api.Backfilled{Backfill: &backfill, Days: days[:2]})
		if request == 3 {
			cancel()
		}
	})
	failed, ok := err.(*cli.Error)
	if !ok || failed.Code != cli.ExitInterrupted || !strings.Contains(failed.Hint, "goes on") || !strings.HasPrefix(out, "20140203\tchanged") {
		t.Errorf("%q, %v", out, err)
	}
}
