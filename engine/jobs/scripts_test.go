package jobs

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/engine/jobs/jobstest"
)

// TestSchedule starts scripts at times of the test's own.
func TestSchedule(t *testing.T) {
	dir := t.TempDir()
	scripts := filepath.Join(dir, "scripts")
	if err := os.Mkdir(scripts, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"daily.js":   `{"schedule": "@daily", "title": "Daily"}`,
		"never.js":   `{}`,
		"wrong.js":   `{"schedule": "whenever"}`,
		"broken.js":  `{"error": "it does not compile"}`,
		"_module.js": `{"schedule": "@daily"}`,
		"a.test.js":  `{"schedule": "@daily"}`,
	} {
		if err := os.WriteFile(filepath.Join(scripts, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	var now atomic.Pointer[time.Time]
	set := func(text string) {
		at, err := time.Parse("2006-01-02 15:04:05", text)
		if err != nil {
			t.Fatal(err)
		}
		now.Store(&at)
	}
	set("2026-11-28 20:00:00")
	options := DefaultOptions()
	options.Dir = filepath.Join(dir, "jobs")
	options.Program = jobstest.Program
	options.Now = func() time.Time { return *now.Load() }

	// Each step opens the folder anew, as a server that starts, and runs what is queued.
	causes := func(at string) (causes []string) {
		t.Helper()
		set(at)
		manager, err := Open(options)
		if err != nil {
			t.Fatal(err)
		}
		defer manager.Close()
		folder, err := OpenScripts(t.Context(), scripts, manager)
		if err != nil {
			t.Fatal(err)
		}
		before := len(manager.Runs(""))
		for range 2 { // the second finds that it is served, or that the first still waits
			if err := folder.startDue(); err != nil {
				t.Fatal(err)
			}
		}
		for range manager.Runs("")[before:] {
			<-manager.waiting
			manager.runNext(t.Context())
		}
		for _, run := range manager.Runs("")[:len(manager.Runs(""))-before] {
			if run.Script != "daily.js" || run.State != api.Done {
				t.Errorf("%+v", run)
			}
			causes = append(causes, run.Cause)
		}
		return causes
	}

	for _, step := range []struct {
		at   string
		want []string
	}{
		{"2026-11-28 20:00:00", nil}, // a new schedule begins now
		{"2026-11-28 23:59:59", nil},
		{"2026-11-29 00:00:05", []string{api.BySchedule}},
		{"2026-11-29 00:00:10", nil},
		{"2026-12-05 10:00:00", []string{api.ByCatchUp}}, // six were missed
		{"2026-12-05 23:00:00", nil},
	} {
		got := causes(step.at)
		if len(got) != len(step.want) || len(got) > 0 && got[0] != step.want[0] {
			t.Errorf("%s: %q, want %q", step.at, got, step.want)
		}
	}

	manager, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	folder, err := OpenScripts(t.Context(), scripts, manager)
	if err != nil {
		t.Fatal(err)
	}
	list := folder.List()
	if len(list) != 4 {
		t.Fatalf("%+v", list)
	}
	broken, daily, never, wrong := list[0], list[1], list[2], list[3]
	if broken.Error != "it does not compile" || wrong.Error == "" || never.Error != "" || !never.Next.IsZero() {
		t.Errorf("%+v", list)
	}
	if daily.Title != "Daily" || daily.Next.Format(time.DateTime) != "2026-12-06 00:00:00" || daily.Last.Cause != api.ByCatchUp {
		t.Errorf("%+v", daily)
	}
}
