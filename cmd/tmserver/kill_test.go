package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// The tests' own tmserver (see TestMain) reads these; the product knows neither.
const (
	killAtEnv  = "TEST_KILL_AT" // SIGKILL itself before that change of the data folder, from 0
	changesEnv = "TEST_CHANGES" // file that lists the changes
	clockEnv   = "TEST_CLOCK"   // how far the clock of upkeep is ahead, as a duration
	// killChildEnv makes the first child do so, and not its parent; it is a file that the
	// child makes before.
	killChildEnv = "TEST_KILL_CHILD"
)

// withClock gives a process the clock that the environment says.
func withClock(st *cli.State) *cli.State {
	if ahead, err := time.ParseDuration(os.Getenv(clockEnv)); err == nil {
		st.Now = func() time.Time { return time.Now().Add(ahead) }
	}
	return st
}

// killAtChange makes this process kill itself as the environment says. Of an
// append, something reaches the disk.
func killAtChange() {
	at, err := strconv.Atoi(cmp.Or(os.Getenv(killAtEnv), "-1"))
	list := os.Getenv(changesEnv)
	if err != nil || at < 0 && list == "" {
		return
	}

	// A child has the environment of its parent.
	once := os.Getenv(killChildEnv)
	isChild := len(os.Args) > 1 && os.Args[1] == "child"
	if isChild != (once != "") {
		return
	}

	var mu sync.Mutex // protects n
	n := 0            // changes so far
	diskHook = func(root *os.Root, o backend.Op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if list != "" {
			return appendText(os.OpenFile, list, fmt.Sprintf("%s %s\n", o, name))
		}
		if n == at {
			if once != "" {
				file, err := os.OpenFile(once, os.O_CREATE|os.O_EXCL, 0o666)
				if err != nil {
					return nil // another child was killed
				}
				file.Close()
			}
			if o == backend.OpAppend {
				appendText(root.OpenFile, name, "torn")
			}
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		n++
		return nil
	}
}

func appendText(open func(string, int, os.FileMode) (*os.File, error), name, text string) error {
	f, err := open(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	return err
}

// TestKilledAtEveryChange kills the real program with SIGKILL at each change that
// it makes to the data folder while it publishes, compacts and repairs. Right
// after, without any recovery, no record is seen twice and no half file is seen;
// what was published before is all there. Then the same command is run again:
// every record is there once, check finds nothing, and nothing is left over.
func TestKilledAtEveryChange(t *testing.T) {
	raw := rawLogs(t)
	published := copyOf(t, raw)
	runProgram(t, nil, []int{3}, "convert", "--data-dir", published, "--offline")
	want := ingesttest.Published(t, published)
	if len(want) != killLogs*killPings {
		t.Fatalf("published %v", want)
	}
	dying := copyOf(t, raw)
	endedTwice(t, dying)
	damaged := copyOf(t, published)
	cutASegment(t, damaged)
	damagedRaw := copyOf(t, raw)
	garbageAtTheEnd(t, damagedRaw)

	for _, tt := range []struct {
		name   string
		before string // data folder
		args   []string
		exits  []int // the first is that of the undisturbed command; of the second run any
		sees   func(records int) bool
	}{
		{"publish", raw, []string{"convert", "--offline"}, []int{3, 0}, func(n int) bool { return n <= len(want) }},
		{"publish what ended the process", dying, []string{"convert", "--offline"}, []int{3, 0}, func(n int) bool { return n <= len(want) }},
		{"publish damaged", damagedRaw, []string{"convert", "--offline"}, []int{4, 3, 0}, func(n int) bool { return n <= len(want) }},
		{"compact", published, []string{"compact", "--grace", "0s"}, []int{0}, func(n int) bool { return n == len(want) }},
		{"compact with grace", published, []string{"compact"}, []int{0}, func(n int) bool { return n == len(want) }},
		{"repair", damaged, []string{"check", "--repair"}, []int{4, 0}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			command := func(dir string) []string { return append(slices.Clone(tt.args), "--data-dir", dir) }
			for at, change := range changesOf(t, tt.exits[0], command(copyOf(t, tt.before))...) {
				if testing.Short() && at%11 != 3 {
					continue
				}
				dir := copyOf(t, tt.before)
				runProgram(t, []string{killAtEnv + "=" + fmt.Sprint(at)}, []int{killed}, command(dir)...)

				// Before anything is recovered.
				if tt.sees != nil {
					requireNoDamage(t, dir)
					seen := ingesttest.Published(t, dir)
					if !tt.sees(len(seen)) {
						t.Errorf("killed at %s: a reader sees %d records", change, len(seen))
					}
					for id, n := range seen {
						if n != 1 || want[id] != 1 {
							t.Errorf("killed at %s: a reader sees %s %d times", change, id, n)
						}
					}
				}

				// The same command again finishes or repeats everything.
				runProgram(t, nil, tt.exits, command(dir)...)
				runProgram(t, nil, []int{0}, "check", "--data-dir", dir)
				requireStatistics(t, dir, change)
				if got := ingesttest.Published(t, dir); !maps.Equal(got, want) {
					t.Errorf("killed at %s, and run again: records %v, want %v", change, got, want)
				}
				if kept, _ := filepath.Glob(filepath.Join(dir, layout.DamagedDir, layout.RawDir, "*")); tt.before == damagedRaw && len(kept) != 1 {
					t.Errorf("killed at %s, and run again: damaged raw logs %v, want one", change, kept)
				}
				for _, name := range []string{layout.RawDir, layout.StagingDir} {
					if left, _ := os.ReadDir(filepath.Join(dir, name)); len(left) > 0 && (tt.before == raw || tt.before == damagedRaw) {
						t.Errorf("killed at %s, and run again: %s holds %v", change, name, left)
					}
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// requireStatistics checks that the conversion of each raw log is counted once.
func requireStatistics(t *testing.T, dir, change string) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	sources := map[string]bool{}
	for rawLog, err := range statistics.All(root, slog.New(slog.DiscardHandler)) {
		if err != nil {
			t.Fatal(err)
		}
		if rawLog.Submissions != killPings+1 || sources[rawLog.Source] {
			t.Errorf("killed at %s, and run again: statistics %+v", change, rawLog)
		}
		sources[rawLog.Source] = true
	}
	if len(sources) != killLogs {
		t.Errorf("killed at %s, and run again: statistics of %v", change, sources)
	}
}

const killLogs, killPings = 2, 3

// rawLogs returns a data folder with raw logs, whose pings belong to the same
// partitions, and one bad submission in each.
func rawLogs(t *testing.T) string {
	dir := t.TempDir()
	if err := gen.WriteCache(filepath.Join(dir, layout.RevisionCacheDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, layout.RawDir), 0o777); err != nil {
		t.Fatal(err)
	}

	g := gen.New(1)
	for n := range killLogs {
		log := rawlog.AppendHead(nil, 1)
		add := func(id string, body []byte) {
			log = rawlog.AppendEntry(log, &rawlog.Submission{Path: id, Body: body, Time: time.UnixMilli(1391385600000)}, 1)
		}

		for i := range killPings {
			add(fmt.Sprintf("log%d-ping%d", n, i), g.Ping(i).JSON)
		}
		add(fmt.Sprintf("log%d-bad", n), []byte("no JSON"))
		name := filepath.Join(dir, layout.RawDir, fmt.Sprintf("telemetry.log.v4.h.1.139138560000%d.finished", n))
		if err := os.WriteFile(name, log, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// endedTwice makes the raw logs of a data folder such that have ended the process twice.
func endedTwice(t *testing.T, dir string) {
	t.Helper()
	attempts := filepath.Join(dir, layout.AttemptsDir)
	if err := os.MkdirAll(attempts, 0o777); err != nil {
		t.Fatal(err)
	}
	logs, err := os.ReadDir(filepath.Join(dir, layout.RawDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		if err := os.WriteFile(filepath.Join(attempts, log.Name()), []byte("began\nbegan\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func requireNoDamage(t *testing.T, dir string) {
	t.Helper()
	tree, err := layout.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if _, found, err := upkeep.Check(t.Context(), tree); err != nil || slices.ContainsFunc(found, upkeep.Finding.Damage) {
		t.Errorf("check: %v, %v", found, err)
	}
}

// cutASegment cuts the last byte off a published segment: damage that loses no record.
func cutASegment(t *testing.T, dir string) {
	tree, err := layout.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	segs, err := tree.Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, segs[0].Path), segs[0].Size-1); err != nil {
		t.Fatal(err)
	}
}

// garbageAtTheEnd damages a raw log so that no submission is lost.
func garbageAtTheEnd(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, layout.RawDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if err := appendText(os.OpenFile, logs[0], "garbage"); err != nil {
		t.Fatal(err)
	}
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// changesOf runs a command and returns the changes that it makes to the data folder.
func changesOf(t *testing.T, exit int, args ...string) []string {
	t.Helper()
	list := filepath.Join(t.TempDir(), "changes")
	runProgram(t, []string{changesEnv + "=" + list}, []int{exit}, args...)
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// killed is the exit code of a process that a signal ended.
const killed = -1

// runProgram runs tmserver and requires one of these exit codes.
func runProgram(t *testing.T, env []string, exits []int, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "tmserver", args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || !slices.Contains(exits, cmd.ProcessState.ExitCode()) {
		t.Fatalf("%s tmserver %s: %v, want exit code %v\n%s", env, strings.Join(args, " "), err, exits, out)
	}
}
