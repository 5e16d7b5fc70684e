package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

// fatalFilter ends the process for some submissions: no machine has so much memory, which
// Go's runtime does not survive.
const fatalFilter = `
export function ingest(id) { if (id.startsWith("poison")) "x".repeat(2 ** 47) }
`

// diesOfMemory is the exit code of a Go program that dies so.
const diesOfMemory = 2

// poisonedLog returns a data folder with a filter, and the name of a raw log of n submissions
// in it, of which two are fatal.
func poisonedLog(t *testing.T, n int) (dir, filters, rawLog string) {
	dir = t.TempDir()
	filters = t.TempDir()
	if err := gen.WriteCache(filepath.Join(dir, layout.RevisionCacheDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filters, "ingest.js"), []byte(fatalFilter), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, layout.RawDir), 0o777); err != nil {
		t.Fatal(err)
	}

	text := rawlog.AppendHead(nil, 1)
	g := gen.New(1)
	for i := range n {
		id := fmt.Sprintf("good-%d", i)
		if i == 2 || i == 3 {
			id = fmt.Sprintf("poison-%d", i)
		}
		text = rawlog.AppendEntry(text, &rawlog.Submission{Path: id, Body: g.Ping(i).JSON, Time: time.UnixMilli(1391385600000)}, 1)
	}
	rawLog = filepath.Join(dir, layout.RawDir, "telemetry.log.v4.h.1.1391385600000.finished")
	if err := os.WriteFile(rawLog, text, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir, filters, rawLog
}

// requirePoisonQuarantined checks that all but the fatal submissions are published once,
// and that those can be replayed once the filter is corrected, and not before.
func requirePoisonQuarantined(t *testing.T, dir, filters string) {
	t.Helper()
	published := ingesttest.Published(t, dir)
	for id, times := range published {
		if times != 1 || strings.HasPrefix(id, "poison") {
			t.Errorf("%s is published %d times", id, times)
		}
	}
	if len(published) != 18 {
		t.Errorf("%d records are published", len(published))
	}
	for _, name := range []string{layout.RawDir, layout.StagingDir, layout.AttemptsDir} {
		if left, _ := os.ReadDir(filepath.Join(dir, name)); len(left) > 0 {
			t.Errorf("%s holds %v", name, left)
		}
	}
	runProgram(t, nil, []int{0}, "check", "--data-dir", dir)

	list, err := exec.CommandContext(t.Context(), "tmserver", "invalid", "ls", "--data-dir", dir).Output()
	if err != nil || strings.Count(string(list), "\tended_process\t") != 2 {
		t.Errorf("quarantined: %v\n%s", err, list)
	}
	replay := []string{"invalid", "replay", "--data-dir", dir, "--offline", "--filters", filters}
	runProgram(t, nil, []int{0}, replay...) // leaves it alone
	runProgram(t, nil, []int{diesOfMemory}, append(replay, "--class", "ended_process")...)
	runProgram(t, nil, []int{0}, "invalid", "replay", "--data-dir", dir, "--offline", "--class", "ended_process")
	if n := len(ingesttest.Published(t, dir)); n != 20 {
		t.Errorf("%d records after the replay", n)
	}
}

// TestPoisonInConvert: submissions that end the process are quarantined by the third
// conversion.
func TestPoisonInConvert(t *testing.T) {
	dir, filters, _ := poisonedLog(t, 20)
	for _, exit := range []int{diesOfMemory, diesOfMemory, 3} {
		runProgram(t, nil, []int{exit}, "convert", "--data-dir", dir, "--offline", "--filters", filters)
	}
	requirePoisonQuarantined(t, dir, filters)
}

// TestPoisonInImport: and by the third import.
func TestPoisonInImport(t *testing.T) {
	dir, filters, rawLog := poisonedLog(t, 20)
	file := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(rawLog, file); err != nil {
		t.Fatal(err)
	}

	for _, exit := range []int{diesOfMemory, diesOfMemory, 3, 0} {
		runProgram(t, nil, []int{exit}, "import", "--data-dir", dir, "--offline", "--filters", filters, file)
	}
	requirePoisonQuarantined(t, dir, filters)
}

// TestPoisonInServe: and by the third start of a server, which then goes on, whether the
// raw log is its own or was spooled.
func TestPoisonInServe(t *testing.T) {
	for _, spooled := range []bool{false, true} {
		if spooled && testing.Short() {
			return // five seconds for each
		}
		dir, filters, rawLog := poisonedLog(t, 20)
		spool := t.TempDir()
		if spooled {
			if err := os.Rename(rawLog, filepath.Join(spool, filepath.Base(rawLog))); err != nil {
				t.Fatal(err)
			}
		}

		// The first two do not live long enough to be ready.
		serve := []string{"serve", "--data-dir", dir, "--offline", "--filters", filters, "--spool", spool,
			"--listen", "127.0.0.1:0", "--admin-listen", ""}
		for range 2 {
			runProgram(t, nil, []int{diesOfMemory}, serve...)
		}
		server := ingesttest.Serve(t, "tmserver", dir, "--filters", filters, "--spool", spool)
		ingesttest.Wait(t, func() bool { return len(ingesttest.Published(t, dir)) == 18 })
		server.Stop(t)

		requirePoisonQuarantined(t, dir, filters)
		if left, _ := os.ReadDir(spool); len(left) > 0 {
			t.Errorf("the spool holds %v", left)
		}
	}
}

// TestKilledServerQuarantinesNothing kills a server again and again while it converts the
// same raw log, at first in its own process, then in children.
func TestKilledServerQuarantinesNothing(t *testing.T) {
	dir, _, _ := poisonedLog(t, 20) // and no filter
	for at := range 20 {
		// The first changes are those of the start; a server that is done is stopped.
		cmd := exec.CommandContext(t.Context(), "tmserver", "convert", "--data-dir", dir, "--offline")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", killAtEnv, 2+2*at))
		cmd.Run()
	}
	runProgram(t, nil, []int{0}, "convert", "--data-dir", dir, "--offline")
	if published := ingesttest.Published(t, dir); len(published) != 20 {
		t.Errorf("%d records are published: %v", len(published), published)
	}
}

// TestKilledChild kills the first child at each change that it makes to the data folder.
// What it had in hand is converted by the next ones.
func TestKilledChild(t *testing.T) {
	before, _, _ := poisonedLog(t, 5) // and no filter
	endedTwice(t, before)

	for at, died := 0, true; died; at++ {
		if testing.Short() && at%7 != 3 {
			continue
		}
		dir := copyOf(t, before)
		once := filepath.Join(t.TempDir(), "died")
		runProgram(t, []string{killChildEnv + "=" + once, killAtEnv + "=" + fmt.Sprint(at)}, []int{0},
			"convert", "--data-dir", dir, "--offline")

		_, err := os.Stat(once)
		died = err == nil
		published := ingesttest.Published(t, dir)
		for id, times := range published {
			if times != 1 {
				t.Errorf("killed at change %d: %s is published %d times", at, id, times)
			}
		}
		if len(published) != 5 {
			t.Errorf("killed at change %d: %d records", at, len(published))
		}
		if left, _ := os.ReadDir(filepath.Join(dir, layout.AttemptsDir)); len(left) > 0 {
			t.Errorf("killed at change %d: %v is left", at, left)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}
