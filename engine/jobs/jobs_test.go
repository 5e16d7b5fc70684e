package jobs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jobs"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/engine/jobs/jobstest"
)

// options are those of a manager in a folder, with the stand-in for tmrun.
func options(dir string) jobs.Options {
	o := jobs.DefaultOptions()
	o.Dir = dir
	o.DataDir = "data"
	o.Program = jobstest.Program
	return o
}

// open opens a manager and runs it until the result is called, or the test ends.
func open(t *testing.T, o jobs.Options) (manager *jobs.Manager, stop func()) {
	t.Helper()
	manager, err := jobs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { manager.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := manager.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return manager, stop
}

// start starts a script that came with a request.
func start(t *testing.T, manager *jobs.Manager, text string) api.Run {
	t.Helper()
	run, err := manager.Start(request(text), jobs.Order{Cause: api.ByRequest})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func request(text string) api.Request {
	return api.Request{Files: map[string]string{"a.js": text}, Main: "a.js"}
}

// await waits until a run is in that state.
func await(t *testing.T, manager *jobs.Manager, id string, want func(api.Run) bool) api.Run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		run, changed, err := manager.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		if want(run) {
			return run
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("run %+v", run)
		}
	}
}

func ended(run api.Run) bool    { return run.State.Ended() }
func progress(run api.Run) bool { return run.Progress.Tasks > 0 }

// waiting is a script that says it has begun, and waits until its stdin ends.
const waiting = "{}\n" + `echo '{"progress":{"tasks":1}}' >&3; cat; exit 130`

// TestRun: what a run does is kept, also by the next manager of the folder.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	manager, stop := open(t, options(dir))
	run := start(t, manager, `{"script_sha256": "abc"}
echo rows >"$output"; echo printed >&2
echo '{"input":{"segments":2}}' >&3
echo '{"stats":{"records":5,"counters":{"n":1}}}' >&3`)
	run = await(t, manager, run.ID, ended)
	if run.State != api.Done || run.From.ScriptSum != "abc" || run.From.Input.Segments != 2 || run.Stats.Counters["n"] != 1 {
		t.Errorf("%+v", run)
	}

	stop()
	manager, _ = open(t, options(dir))
	again, _, err := manager.Get(run.ID)
	if err != nil || again.State != api.Done || len(again.Results) != 1 || again.Stats.Records != 5 {
		t.Fatalf("%+v, %v", again, err)
	}
	result, err := manager.OpenResult(run.ID, "result.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	log, err := manager.OpenLog(run.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for file, want := range map[io.Reader]string{result: "rows\n", log: "printed\n"} {
		if text, err := io.ReadAll(file); string(text) != want || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	}
	for _, name := range []string{"", "..", "../log", "log"} {
		if _, err := manager.OpenResult(run.ID, name); !errors.Is(err, jobs.ErrUnknown) {
			t.Errorf("result %q: %v", name, err)
		}
	}
}

// TestFailedRuns: a run that fails says how.
func TestFailedRuns(t *testing.T) {
	manager, _ := open(t, options(t.TempDir()))
	for text, want := range map[string]api.Run{
		"{}\n" + `echo '{"error":"it threw"}' >&3; exit 5`:       {State: api.Failed, Code: 5, Error: "it threw"},
		"{}\n" + `echo '{"error":"1 was rejected"}' >&3; exit 3`: {State: api.Done, Code: 3, Error: "1 was rejected"},
		"{}\nkill -9 $$":               {State: api.Failed, Code: 1, Error: "signal: killed"},
		`{"imports": ["/etc/passwd"]}`: {State: api.Failed, Code: 1, Error: "the script imports passwd, which did not come with it"},
	} {
		run := await(t, manager, start(t, manager, text).ID, ended)
		if run.State != want.State || run.Code != want.Code || run.Error != want.Error {
			t.Errorf("%s: %s, code %d, %q", text, run.State, run.Code, run.Error)
		}
	}
}

// TestRequests: a request cannot name what lies elsewhere.
func TestRequests(t *testing.T) {
	manager, _ := open(t, options(t.TempDir()))
	for name, change := range map[string]func(*api.Request){
		"no main":          func(r *api.Request) { r.Main = "b.js" },
		"absolute main":    func(r *api.Request) { r.Main = "/etc/passwd" },
		"path":             func(r *api.Request) { r.Files["../a.js"] = "" },
		"absolute path":    func(r *api.Request) { r.Files["/tmp/a.js"] = "" },
		"path not clean":   func(r *api.Request) { r.Files["b/../a.js"] = "" },
		"filter elsewhere": func(r *api.Request) { r.Filter = "/etc/passwd" },
		"filter above":     func(r *api.Request) { r.Filter = "../filter.json" },
		"format":           func(r *api.Request) { r.Format = "xml" },
		"dedup":            func(r *api.Request) { r.Dedup = "none --isolate=false" },
	} {
		changed := request("{}")
		change(&changed)
		if _, err := manager.Start(changed, jobs.Order{Cause: api.ByRequest}); !errors.Is(err, jobs.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestQueue: the queue is bounded, and runs of it and the one that goes on are cancelled.
func TestQueue(t *testing.T) {
	o := options(t.TempDir())
	o.Queue = 2
	manager, _ := open(t, o)
	first := start(t, manager, waiting)
	await(t, manager, first.ID, progress)
	second := start(t, manager, "{}")
	third := start(t, manager, "{}")
	if _, err := manager.Start(request("{}"), jobs.Order{}); !errors.Is(err, jobs.ErrFull) {
		t.Errorf("a full queue: %v", err)
	}

	for _, id := range []string{second.ID, first.ID} {
		if err := manager.Cancel(id); err != nil {
			t.Fatal(err)
		}
		if run := await(t, manager, id, ended); run.State != api.Cancelled {
			t.Errorf("%+v", run)
		}
	}
	if run := await(t, manager, third.ID, ended); run.State != api.Done {
		t.Errorf("%+v", run)
	}
	if err := manager.Cancel("x"); !errors.Is(err, jobs.ErrUnknown) {
		t.Errorf("cancel: %v", err)
	}
}

// TestInterrupted: runs say so when the server has ended, or was killed, before they did.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	manager, stop := open(t, options(dir))
	running := start(t, manager, waiting)
	await(t, manager, running.ID, progress)
	queued := start(t, manager, "{}")

	// As if the process had been killed: the store says that they go on.
	store, err := os.ReadFile(filepath.Join(dir, "jobs.bolt"))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	check := func() {
		t.Helper()
		manager, stop := open(t, options(dir))
		defer stop()
		for _, id := range []string{running.ID, queued.ID} {
			if run, _, err := manager.Get(id); err != nil || run.State != api.Interrupted || run.Error == "" {
				t.Errorf("%+v, %v", run, err)
			}
		}
	}
	check()
	if err := os.WriteFile(filepath.Join(dir, "jobs.bolt"), store, 0o600); err != nil {
		t.Fatal(err)
	}
	check()
}

// TestKeep: the oldest runs go, with their files.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	o := options(dir)
	o.Keep = 2
	gone := make(chan string, 10)
	o.Ended = func(_ context.Context, run api.Run) { gone <- run.ID }
	manager, stop := open(t, o)
	var ids []string
	for range 4 {
		ids = append(ids, start(t, manager, "{}").ID)
		<-gone
	}
	stop()

	folders, err := os.ReadDir(filepath.Join(dir, "runs"))
	if err != nil || len(folders) != 2 || folders[0].Name() != ids[2] {
		t.Errorf("folders %v, %v", folders, err)
	}
	manager, _ = open(t, o)
	if runs := manager.Runs(""); len(runs) != 2 || runs[0].ID != ids[3] {
		t.Errorf("runs %+v", runs)
	}
}

// TestLogIsBounded: a script that prints without end fills no disk.
func TestLogIsBounded(t *testing.T) {
	manager, _ := open(t, options(t.TempDir()))
	run := await(t, manager, start(t, manager, "{}\nhead -c 6000000 /dev/zero >&2").ID, ended)
	if run.State != api.Done || run.LogBytes != 4<<20 {
		t.Errorf("%+v", run)
	}
}

// TestNoSecrets: a job's process does not see the server's environment.
func TestNoSecrets(t *testing.T) {
	t.Setenv("TMSERVER_ADMIN_TOKEN", "secret")
	manager, _ := open(t, options(t.TempDir()))
	run := await(t, manager, start(t, manager, "{}\nenv >&2").ID, ended)
	log, err := manager.OpenLog(run.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if text, err := io.ReadAll(log); err != nil || strings.Contains(string(text), "secret") || len(text) == 0 {
		t.Errorf("%s, %v", text, err)
	}
}
