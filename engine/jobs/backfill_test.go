package jobs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/engine/jobs/jobstest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// backfillFolder is a folder with a script that writes its --where and what a file says.
type backfillFolder struct {
	options       Options
	scripts, data string
}

func newBackfillFolder(t *testing.T) *backfillFolder {
	t.Helper()
	dir := t.TempDir()
	f := &backfillFolder{options: DefaultOptions(), scripts: filepath.Join(dir, "scripts"), data: filepath.Join(dir, "data")}
	f.options.Dir = filepath.Join(dir, "jobs")
	f.options.Program = jobstest.Program
	f.options.Keep = 1
	if err := os.Mkdir(f.scripts, 0o700); err != nil {
		t.Fatal(err)
	}
	f.write(t, filepath.Join(f.scripts, "a.js"), "{}\n"+`for arg; do case "$arg" in --where=*) echo "${arg#--where=}" >"$output"; day=${arg#--where=submission_date=};; esac; done
cat '`+f.data+`' >>"$output"
if [ -e '`+f.data+`'".$day" ]; then exit 5; fi`)
	f.write(t, f.data, "one\ntwo\n")
	return f
}

func (f *backfillFolder) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// open opens the folder anew, as a server that starts; the caller closes the manager.
func (f *backfillFolder) open(t *testing.T) (*Manager, *Scripts) {
	t.Helper()
	manager, err := Open(f.options)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := OpenScripts(t.Context(), f.scripts, manager)
	if err != nil {
		t.Fatal(err)
	}
	return manager, folder
}

// backfilled returns what is stored of the script.
func backfilled(t *testing.T, folder *Scripts) api.Backfilled {
	t.Helper()
	found, err := folder.Backfilled("a.js")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestBackfill ends the server at each step of a backfill, with the run queued or interrupted
// or ended; the days are the same as without. A second backfill says what has changed.
func TestBackfill(t *testing.T) {
	f := newBackfillFolder(t)
	days := api.Range{From: "20150730", To: "20150802"}
	dates := []schema.Date{"20150730", "20150731", "20150801", "20150802"}
	manager, folder := f.open(t)
	if _, err := folder.Backfill("a.js", days); err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Backfill("a.js", days); !errors.Is(err, ErrRequest) {
		t.Errorf("a second one at the same time: %v", err)
	}

	// run makes all days, and restarts the server before, in and after each run.
	run := func(restart bool) {
		t.Helper()
		for step := 0; !backfilled(t, folder).Backfill.State.Ended(); step++ {
			if step > 100 {
				t.Fatalf("it does not end: %+v", backfilled(t, folder))
			}
			if err := folder.advance(); err != nil {
				t.Fatal(err)
			}
			if step%3 != 0 || !restart {
				select {
				case <-manager.waiting:
					manager.runNext(t.Context())
				default:
				}
			}
			if restart {
				if err := manager.Close(); err != nil {
					t.Fatal(err)
				}
				manager, folder = f.open(t)
			}
		}
	}
	run(true)
	found := backfilled(t, folder)
	if found.Backfill.State != api.Done {
		t.Errorf("%+v", found.Backfill)
	}

	// Each day has its own result, though only one run of a script is kept.
	check := func(change []api.Change, added, removed int) {
		t.Helper()
		found := backfilled(t, folder)
		if len(found.Days) != len(dates) {
			t.Fatalf("days %+v", found.Days)
		}
		for i, day := range found.Days {
			wantAdded, wantRemoved := added, removed
			if change[i] != api.ChangeChanged {
				wantAdded, wantRemoved = 0, 0
			}
			if day.Date != dates[i] || day.Change != change[i] || day.Added != wantAdded || day.Removed != wantRemoved {
				t.Errorf("day %d: %+v", i, day)
			}
			file, err := manager.OpenResult(day.Run, "result.jsonl")
			if err != nil {
				t.Fatal(err)
			}
			text := make([]byte, 100)
			n, err := file.Read(text)
			file.Close()
			if err != nil || !slices.Contains([]string{"submission_date=" + string(dates[i]) + "\none\ntwo\n", "submission_date=" + string(dates[i]) + "\none\nthree\nfour\n"}, string(text[:n])) {
				t.Errorf("%s: %q, %v", dates[i], text[:n], err)
			}
		}
	}
	check([]api.Change{api.ChangeNew, api.ChangeNew, api.ChangeNew, api.ChangeNew}, 0, 0)

	// The same again, then with other data, and a day that fails.
	again := func(days api.Range) {
		t.Helper()
		if _, err := folder.Backfill("a.js", days); err != nil {
			t.Fatal(err)
		}
		run(false)
	}
	again(days)
	check(slices.Repeat([]api.Change{api.ChangeSame}, 4), 0, 0)
	f.write(t, f.data, "one\nthree\nfour\n")
	f.write(t, f.data+".20150731", "")
	again(api.Range{From: "20150731", To: "20150801"})
	if found := backfilled(t, folder).Backfill; found.State != api.Failed || !reflect.DeepEqual(found.Failed, []schema.Date{"20150731"}) || found.Error == "" {
		t.Errorf("%+v", found)
	}
	check([]api.Change{api.ChangeSame, api.ChangeSame, api.ChangeChanged, api.ChangeSame}, 2, 1)

	// Cancelling ends it, and the run that waits.
	if _, err := folder.Backfill("a.js", days); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(folder.advance(), folder.CancelBackfill("a.js")); err != nil {
		t.Fatal(err)
	}
	if found := backfilled(t, folder).Backfill; found.State != api.Cancelled || manager.isActive("a.js") {
		t.Errorf("%+v", found)
	}
	if err := manager.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBackfillRuns: the folder's own loop makes the days.
func TestBackfillRuns(t *testing.T) {
	f := newBackfillFolder(t)
	manager, folder := f.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	for _, run := range []func(context.Context){manager.Run, folder.Run} {
		go func() { run(ctx); done <- struct{}{} }()
	}
	if _, err := folder.Backfill("a.js", api.Range{From: "20240228", To: "20240301"}); err != nil {
		t.Fatal(err)
	}
	for !backfilled(t, folder).Backfill.State.Ended() {
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	<-done
	<-done
	if found := backfilled(t, folder); found.Backfill.State != api.Done || len(found.Days) != 3 || found.Days[1].Date != "20240229" {
		t.Errorf("%+v", found)
	}
	if err := manager.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBackfillRequests: what cannot be made is said at once.
func TestBackfillRequests(t *testing.T) {
	f := newBackfillFolder(t)
	manager, folder := f.open(t)
	defer manager.Close()
	for _, days := range []api.Range{
		{}, {From: "20150701"}, {From: "20150702", To: "20150701"}, {From: "20150230", To: "20150301"}, {From: "2015-07-01", To: "2015-07-02"},
		{From: "20000101", To: "20150701"}, {From: "99991201", To: "99991231"},
	} {
		if _, err := folder.Backfill("a.js", days); !errors.Is(err, ErrRequest) {
			t.Errorf("%+v: %v", days, err)
		}
	}
	if _, err := folder.Backfill("b.js", api.Range{From: "20150701", To: "20150701"}); !errors.Is(err, ErrRequest) {
		t.Errorf("no such script: %v", err)
	}
	if found := backfilled(t, folder); found.Backfill != nil || len(found.Days) != 0 {
		t.Errorf("%+v", found)
	}
}
