package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli/clitest"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// smallMachine is the memory that the server of TestMemoryUnderAttack may take.
const smallMachine = 512 << 20

// attackEvery is the pause between two attacks of a kind: all of them are converted in the
// end.
const attackEvery = 100 * time.Millisecond

// attacks are bodies, and where they are sent, that took gigabytes before everything had a
// budget.
func attacks() map[string][]byte {
	packed := func(text string) []byte {
		var out bytes.Buffer
		packer := gzip.NewWriter(&out)
		io.WriteString(packer, text)
		packer.Close()
		return out.Bytes()
	}
	batch := func(n int, record func(i int) string) []byte {
		records := make([]string, n)
		for i := range records {
			records[i] = record(i)
		}
		return []byte(strings.Join(records, "\t"))
	}

	return map[string][]byte{
		"/submit/telemetry/batch?short": []byte(strings.Repeat("i\t1\t", 4<<20-1) + "i\t1"),
		"/submit/telemetry/batch?tiny":  batch(50_000, func(i int) string { return fmt.Sprintf("%x\t{\"ver\":1,\"info\":{}}", i) }),
		"/submit/telemetry/batch_dims":  batch(20_000, func(i int) string { return fmt.Sprintf("i%d\tmain\tFirefox\tv%d\trelease\t1\t{}", i, i) }),
		"/validate/telemetry/one-key":   packed("{" + strings.Repeat(`"a":1,`, 2_500_000) + `"b":1}`),
		"/validate/telemetry/long":      packed(`{"ver":1,"a":"` + strings.Repeat("x", 15_000_000) + `","info":{}}`),
		"/validate/telemetry/deep":      packed(`{"ver":1,"info":{"a":` + strings.Repeat("[", 7_000_000) + strings.Repeat("]", 7_000_000) + `}}`),
		"/submit/telemetry/members":     packed("{" + strings.Repeat(`"a":1,`, 2_500_000) + `"b":1}`),
		"/submit/telemetry/long":        packed(`{"ver":1,"a":"` + strings.Repeat("x", 15_000_000) + `","info":{}}`),
	}
}

// TestMemoryUnderAttack: a server on a machine with 512 MiB stays below them under attacks
// beside ordinary load, and publishes what it has acknowledged. It takes
// three seconds, or so long as SOAK says: `SOAK=1h go test -timeout 2h -run MemoryUnderAttack ./cmd/tmserver`.
func TestMemoryUnderAttack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process's memory is read from /proc")
	}
	if clitest.RaceDetector {
		t.Skip("the race detector takes several times the memory")
	}
	if testing.Short() {
		t.Skip("attacks of some seconds each")
	}
	duration := 3 * time.Second
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}

	dir := t.TempDir()
	s := ingesttest.Serve(t, "tmserver", dir, "--memory", fmt.Sprint(smallMachine), "--max-log-age", "1s", "--reserve", "0")
	post := func(path string, body []byte) int {
		answer, err := http.Post(s.URL+path, "", bytes.NewReader(body))
		if err != nil {
			return 0 // the server answers, and closes, before a body that is too large is sent
		}
		defer answer.Body.Close()
		io.Copy(io.Discard, answer.Body)
		return answer.StatusCode
	}

	// One goroutine for each attack, and one with pings that must be stored.
	end := time.Now().Add(duration)
	var clients sync.WaitGroup
	for path, body := range attacks() {
		clients.Go(func() {
			for time.Now().Before(end) {
				post(path, body)
				time.Sleep(attackEvery)
			}
		})
	}
	acknowledged := 0
	ping := []byte(`{"ver":1,"info":{}}`)
	for time.Now().Before(end) || acknowledged == 0 {
		if post(fmt.Sprintf("/submit/telemetry/ordinary-%d", acknowledged), ping) == http.StatusOK {
			acknowledged++
		}
	}
	clients.Wait()

	peak := peakMemory(t, s.Process.Pid)
	t.Logf("%d ordinary submissions; peak of %d MiB", acknowledged, peak>>20)
	if peak > smallMachine {
		t.Errorf("the server took %d MiB of %d", peak>>20, smallMachine>>20)
	}
	s.Stop(t)

	stored := 0
	for id := range ingesttest.Published(t, dir) {
		if strings.HasPrefix(id, "ordinary-") {
			stored++
		}
	}
	if stored != acknowledged {
		t.Errorf("%d of %d acknowledged submissions are published", stored, acknowledged)
	}
}

// manyRecords is how many records each of the raw logs of TestMemoryOfCompaction has.
const manyRecords = 1_500_000

// TestMemoryOfCompaction: the memory of a compaction does not grow with the records of a
// partition. Before IDs went to files, it took 20 to 100 bytes for each.
func TestMemoryOfCompaction(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the unit of a process's peak of memory differs between systems")
	}
	if testing.Short() || clitest.RaceDetector {
		t.Skip("three million records; the race detector takes several times the memory")
	}

	dir := t.TempDir()
	data, err := layout.OpenData(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()

	// Half of the records of a raw log are in the other one, too.
	for log := range 2 {
		w, err := data.NewWriter(fmt.Sprintf("log.a.1.138000000000%d", log), layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range manyRecords {
			id := strconv.AppendInt(nil, int64(i+log*manyRecords/2), 36)
			if err := w.Add(layouttest.Partition, id, []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	// Each processor has three frames of so small records, with their IDs, on their way.
	for _, limit := range []struct {
		form      string
		peakBytes int64
	}{{"rows", 288 << 20}, {"columns", 160 << 20}} {
		cmd := exec.Command("tmserver", "compact", "--data-dir", dir, "--form", limit.form, "--grace", "0s", "--drop-repeats", "--zstd", "")
		cmd.Env = append(os.Environ(), "GOGC=20", "GOMAXPROCS=2")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
		t.Logf("%s: %d MiB", limit.form, peak>>20)
		if peak > limit.peakBytes {
			t.Errorf("%s: compaction took %d MiB, want %d at most", limit.form, peak>>20, limit.peakBytes>>20)
		}
	}
}

// peakMemory returns the most memory that a process has had.
func peakMemory(t *testing.T, pid int) (peakBytes int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(after, "%d kB", &peakBytes); !ok || err != nil {
		t.Fatalf("no peak in /proc: %v", err)
	}
	return peakBytes << 10
}
