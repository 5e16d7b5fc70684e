package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/spark"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
)

// pyspark returns the folder of PySpark's virtual environment, which .ci/pyspark makes.
func pyspark(t *testing.T) string {
	t.Helper()
	if os.Getenv("CI") != "true" {
		t.Skip("starts a Spark cluster; CI=true runs it")
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	dir := filepath.Join(cache, "telemetry-server", "pyspark")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		t.Fatal("CI skips nothing: PySpark is not there; .ci/pyspark fetches it")
	}
	return dir
}

// startProcess starts a program that is killed when the test ends.
func startProcess(t *testing.T, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out lockedBuffer
	cmd.Stdout = &out
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s %q:\n%s", name, args, out.end())
		}
	})
	return cmd
}

// lockedBuffer is safe for concurrent use.
type lockedBuffer struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) end() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.buf.String()
	return text[max(0, len(text)-4000):]
}

// listening waits until something listens on a port of this machine.
func listening(t *testing.T, address string) {
	t.Helper()
	ingesttest.Wait(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// objectStore starts a real S3 server and returns the URL of a folder in it.
func objectStore(t *testing.T) string {
	tool, err := exec.LookPath("versitygw")
	if err != nil {
		t.Fatal("CI skips nothing: ", err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "bucket"), 0o777); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", ingesttest.FreePorts(t, 1)[0])
	startProcess(t, nil, tool, "--port", address, "--access", "K", "--secret", "S", "posix", root)
	listening(t, address)
	return backendtest.URL(t, "http://"+address)
}

// cluster is a Spark master and its workers, all on 127.0.0.1.
type cluster struct {
	pyspark string
	master  string
	workers []*exec.Cmd
}

// startCluster starts a master and two workers of one core.
func startCluster(t *testing.T) *cluster {
	dir := pyspark(t)
	ports := ingesttest.FreePorts(t, 4)
	c := &cluster{pyspark: dir, master: fmt.Sprintf("spark://127.0.0.1:%d", ports[0])}
	env := []string{"SPARK_LOCAL_IP=127.0.0.1", "SPARK_LOCAL_HOSTNAME=127.0.0.1", "PYSPARK_PYTHON=" + dir + "/bin/python3", "SPARK_DAEMON_MEMORY=256m"}
	class := filepath.Join(dir, "bin", "spark-class")
	startProcess(t, env, class, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1",
		"--port", fmt.Sprint(ports[0]), "--webui-port", fmt.Sprint(ports[1]))
	listening(t, strings.TrimPrefix(c.master, "spark://"))
	for i := range 2 {
		c.workers = append(c.workers, startProcess(t, env, class, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1",
			"--cores", "1", "--memory", "1g", "--webui-port", fmt.Sprint(ports[2+i]), "--work-dir", t.TempDir(), c.master))
	}
	t.Setenv("SPARK_LOCAL_IP", "127.0.0.1")
	t.Setenv("PYSPARK_PYTHON", dir+"/bin/python3")
	return c
}

// on runs a job in an application that is there already.
func (c *cluster) on(t *testing.T, app *spark.Session, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var said bytes.Buffer
	stdout, code = c.saying(t, app, &said, args...)
	return stdout, said.String(), code
}

// saying is on with standard error as it is written.
func (c *cluster) saying(t *testing.T, app *spark.Session, said io.Writer, args ...string) (stdout string, code int) {
	t.Helper()
	args = append([]string{"--engine", "spark", "--master", c.master, "--progress", "none"}, args...)
	var out bytes.Buffer
	st := &cli.State{Args: args, Env: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: said,
		Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	var flags struct {
		Run runCmd `cmd:"" default:"withargs"`
	}
	parser, err := kong.New(&flags, kong.Vars{"formats": strings.Join(format.Names(), ",")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	flags.Run.cluster = app
	s := newSession(st)
	defer s.close()
	stats, err := flags.Run.run(t.Context(), s)
	if err != nil {
		code = cli.Report(st, "tmrun", explainError(st, err, flags.Run.DataDir))
	} else if rejectedText(stats) != "" {
		code = cli.ExitRejected
	}
	return out.String(), code
}

// TestSpark: every shipped script on a cluster of two workers, from an object store, in
// rows and columns, is equal to its local output; and what is wrong is said as it is locally.
func TestSpark(t *testing.T) {
	pyspark(t)
	url := objectStore(t) // first: workers get its credentials from the environment
	c := startCluster(t)

	// A segment in columns for each day, and rows beside it.
	publishRecords(t, 20, url)
	toColumns(t, url)
	publishRecords(t, 20, url)

	// One application for all, because starting one takes longest.
	app, err := spark.Start(t.Context(), spark.Cluster{
		Submit: filepath.Join(c.pyspark, "bin", "spark-submit"), Master: c.master, Name: "TestSpark",
		Conf: []string{"spark.driver.host=127.0.0.1", "spark.driver.bindAddress=127.0.0.1", "spark.executor.memory=512m", "spark.ui.enabled=false"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()

	shippedJobs(t, func(t *testing.T, args ...string) {
		// Some scripts reject records whose definitions are not there.
		args = append([]string{"-d", url, "--max-errors", "-1"}, args...)
		want, said, wantCode := tmrun("", append([]string{"--progress", "none"}, args...)...)
		if wantCode != 0 && wantCode != cli.ExitRejected {
			t.Fatalf("tmrun ended with %d: %s", wantCode, said)
		}
		got, said, code := c.on(t, app, append([]string{"-r", "3"}, args...)...)
		if code != wantCode || got != want {
			t.Errorf("on Spark it ended with %d, here with %d: %s\n%s\nwant\n%s", code, wantCode, said, got, want)
		}
	})

	t.Run("output", func(t *testing.T) { testSparkOutput(t, c, app, url) })
	t.Run("large", func(t *testing.T) { testSparkLarge(t, c, app, url) })
	t.Run("errors", func(t *testing.T) { testSparkErrors(t, c, app, url) })
	t.Run("killed", func(t *testing.T) { testSparkKilled(t, c, app, url) }) // last: a worker is gone
}

// testSparkLarge: 40 MB of rows, all of one key, are the same bytes.
func testSparkLarge(t *testing.T, c *cluster, app *spark.Session, url string) {
	script := filepath.Join(t.TempDir(), "large.js")
	text := `export function map(id, dims, ping, ctx) { ctx.write('all', 1) }
	export function reduce(key, counts, ctx) {
		const text = 'x'.repeat(10000)
		for (let i = 0; i < 4000; i++) ctx.write(i, text + i)
	}`
	if err := os.WriteFile(script, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}

	args := []string{"-d", url, script}
	want, said, code := tmrun("", append([]string{"--progress", "none"}, args...)...)
	if code != 0 || len(want) < 40_000_000 {
		t.Fatalf("tmrun ended with %d and %d bytes: %s", code, len(want), said)
	}
	got, said, code := c.on(t, app, args...)
	if code != 0 || got != want {
		t.Errorf("on Spark it ended with %d and %d bytes, here with %d: %s", code, len(got), len(want), said)
	}
}

// testSparkOutput: parts and tables in a real object store are the same objects as the local
// engine's; credentials that it refuses are found before the work.
func testSparkOutput(t *testing.T, c *cluster, app *spark.Session, url string) {
	data := publishRecords(t, 3, "")
	output := strings.Replace(url, "some/prefix", "output", 1)
	writeScripts(t)
	for i, args := range [][]string{
		{"--part-size", "1KiB", "rows.js"},
		{"tables.js"},
	} {
		args = append([]string{"-d", url}, args...)
		here := in(output, fmt.Sprintf("here%d", i))
		there := in(output, fmt.Sprintf("spark%d", i))
		if _, said, code := tmrun("", append([]string{"--progress", "none", "-o", strings.Replace(here, "?", "/?", 1)}, args...)...); code != 0 {
			t.Fatalf("%q ended with %d: %s", args, code, said)
		}
		if _, said, code := c.on(t, app, append([]string{"-r", "3", "-o", strings.Replace(there, "?", "/?", 1)}, args...)...); code != 0 {
			t.Fatalf("%q on Spark ended with %d: %s", args, code, said)
		}
		want, names := objectsIn(t, here)
		got, _ := objectsIn(t, there)
		if !maps.Equal(got, want) || len(names) == 0 {
			t.Errorf("%q on Spark: %q; want %q", args, got, want)
		}
	}

	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if _, said, code := tmrun("", "-d", data, "--progress", "none", "-o", in(output, "out.tsv"), "rows.js"); code != cli.ExitFailed || !strings.Contains(said, "signature") {
		t.Errorf("wrong credentials: exit %d, %s", code, said)
	}
}
