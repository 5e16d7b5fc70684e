package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/spark"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// testSparkErrors: what is wrong with a script or a segment is said as it is locally.
func testSparkErrors(t *testing.T, c *cluster, app *spark.Session, url string) {
	damaged := publishRecords(t, 20, "")
	t.Chdir(t.TempDir())
	script := "export function map(id, dims, ping, ctx) {\n  ping.a.b.c()\n}"
	if err := os.WriteFile("throws.js", []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}

	// One byte in the middle of a segment, which all workers see in its folder.
	segments, err := filepath.Glob(filepath.Join(damaged, "published", "*", "*", "*", "*", "*"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	text, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/4] ^= 0x55
	if err := os.WriteFile(segments[0], text, 0o666); err != nil {
		t.Fatal(err)
	}

	for _, wrong := range []struct {
		what string
		code int
		args []string
	}{
		{"a script that throws", cli.ExitScript, []string{"-d", url, "throws.js"}},
		{"a damaged segment", cli.ExitCorrupt, []string{"-d", damaged, "record_count"}},
	} {
		_, want, wantCode := tmrun("", append([]string{"--no-cache", "--progress", "none"}, wrong.args...)...)
		_, got, code := c.on(t, app, wrong.args...)
		if code != wrong.code || wantCode != wrong.code || got == "" || !strings.HasPrefix(want, got) {
			t.Errorf("%s: exit %d, %s; here exit %d, %s; want exit %d", wrong.what, code, got, wantCode, want, wrong.code)
		}
	}
}

// killer kills a worker and its executor at the first line that is written.
type killer struct {
	bytes.Buffer
	worker *exec.Cmd
	once   sync.Once
}

func (k *killer) Write(line []byte) (int, error) {
	k.once.Do(func() { syscall.Kill(-k.worker.Process.Pid, syscall.SIGKILL) })
	return k.Buffer.Write(line)
}

// testSparkKilled: with a worker killed in the middle of a job, the output is the same.
func testSparkKilled(t *testing.T, c *cluster, app *spark.Session, url string) {
	t.Chdir(t.TempDir())

	// The first tasks that end are told by what they log, while others are still to come.
	script := `export function map(id, dims, ping, ctx) {
		let n = 0
		for (let i = 0; i < 300000; i++) n += i % 7
		console.log('mapped')
		ctx.write([dims.appUpdateChannel, dims.appVersion], n)
	}
	export function reduce(key, values, ctx) { ctx.write(key, values.length, values.reduce((a, b) => a + b)) }`
	if err := os.WriteFile("slow.js", []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}

	args := []string{"-d", url, "slow.js"}
	want, said, code := tmrun("", append([]string{"--no-cache", "--progress", "none"}, args...)...)
	if code != 0 {
		t.Fatal(said)
	}

	killer := &killer{worker: c.workers[0]}
	got, code := c.saying(t, app, killer, append([]string{"-r", "3"}, args...)...)
	if code != 0 || got != want {
		t.Errorf("with a worker killed it ended with %d: %s\n%s\nwant\n%s", code, killer.String(), got, want)
	}
	if c.workers[0].Wait(); c.workers[0].ProcessState.ExitCode() != -1 {
		t.Error("the worker was not killed: ", c.workers[0].ProcessState)
	}
}

// TestSparkIsNotThere: a wrong master and a missing spark-submit are found before anything
// starts.
func TestSparkIsNotThere(t *testing.T) {
	dir := publishRecords(t, 3, "")
	nowhere := fmt.Sprintf("spark://127.0.0.1:%d", ingesttest.FreePorts(t, 1)[0])
	for _, wrong := range []struct {
		code   int
		said   string
		master string
	}{
		{cli.ExitFailed, "the Spark master " + nowhere + " does not answer", nowhere},
		{cli.ExitFailed, `the Spark master "mesos://host": there are spark://HOST:PORT`, "mesos://host"},
		{cli.ExitUsage, "pip install pyspark brings one", "local[2]"},
	} {
		submit := filepath.Join(t.TempDir(), "spark-submit")
		_, said, code := tmrun("", "--engine", "spark", "--master", wrong.master, "--spark-submit", submit,
			"--progress", "none", "-d", dir, "record_count")
		if code != wrong.code || !strings.Contains(said, wrong.said) {
			t.Errorf("master %s: exit %d, %s; want exit %d, %s", wrong.master, code, said, wrong.code, wrong.said)
		}
	}
}

// TestSparkReadsColumns: the query of docs/CLUSTER.md, with Spark alone.
func TestSparkReadsColumns(t *testing.T) {
	dir := pyspark(t)
	text, err := os.ReadFile("../../docs/CLUSTER.md")
	if err != nil {
		t.Fatal(err)
	}
	_, query, ok := strings.Cut(string(text), "```python\n")
	query, _, _ = strings.Cut(query, "```")
	if !ok {
		t.Fatal("docs/CLUSTER.md has no query")
	}
	data := publishRecords(t, 60, "")
	toColumns(t, data)

	// The same numbers by a job.
	t.Chdir(t.TempDir())
	script := `export function map(id, dims, ping, ctx) {
		ctx.write([dims.appUpdateChannel, ping.info.OS], 1)
	}
	export function reduce(key, counts, ctx) { ctx.write(key, counts.length) }`
	if err := os.WriteFile("systems.js", []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}
	want, said, code := tmrun("", "-d", data, "--progress", "none", "systems.js")
	if code != 0 {
		t.Fatal(said)
	}
	columns := regexp.MustCompile(`(?m)^(.*)\t(.*)\t(.*)$`)
	want = columns.ReplaceAllString(want, "$1\t\"$2\"\t$3") // values are JSON text

	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "bin", "python3"), "-c", strings.ReplaceAll(query, "/data", data))
	cmd.Env = append(os.Environ(), "SPARK_LOCAL_IP=127.0.0.1", "SPARK_LOCAL_HOSTNAME=127.0.0.1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil || string(got) != want {
		t.Errorf("Spark reads %s, %v; want %s\n%s", got, err, want, stderr.String())
	}
}
