package cmd_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// everyMetric is an expression of a script: what it sees of each metric of the ping
// every-type, distributions as Glean itself prints them.
const everyMetric = `dims.reason != "every-type" ? {} : Object.fromEntries(%s.map(name => {
  const read = h => {
    const values = {}
    h.counts.forEach((n, i) => { if (n) values[h.bounds[i]] = n })
    return { sum: h.sum, values }
  }
  if (name == "an_event") return [name, ping.events.map(({ name, extra: { what, n } }) => ({ name, extra: { what, n } }))]
  if (/^a_(timing|memory)$/.test(name)) return [name, read(ping.histogram("demo." + name))]
  if (/^labeled_(timings|memories)$/.test(name)) return [name, { disk: read(ping.histogram("demo." + name, { key: "disk" })) }]
  return [name, ping.metric("demo." + name)]
}))`

// gleanApp is the application of testdata/clients/app.py, which sends a ping for each
// number that is written to it.
type gleanApp struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	said   map[string]any // what Glean itself says of its metrics
	number int            // the last one that it sent
}

func startGleanApp(t *testing.T, serverURL string) *gleanApp {
	t.Helper()
	app := &gleanApp{cmd: exec.Command(requireClient(t, filepath.Join(gleanFolder(), "venv", "bin", "python")), "testdata/clients/app.py", serverURL, t.TempDir())}
	stdout, err := app.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if app.stdin, err = app.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	startInGroup(t, app.cmd)
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the application: %v", err)
	}
	if err := json.Unmarshal(line, &app.said); err != nil {
		t.Fatal(err)
	}
	return app
}

// send sends pings with the next numbers.
func (a *gleanApp) send(t *testing.T, n int) {
	t.Helper()
	for range n {
		a.number++
		if _, err := fmt.Fprintln(a.stdin, a.number); err != nil {
			t.Fatal(err)
		}
	}
}

// quit lets the application end by itself.
func (a *gleanApp) quit(t *testing.T) {
	t.Helper()
	a.stdin.Close()
	if err := a.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestGleanPython: what an application with Glean's Python SDK sends is seen by scripts
// as Glean itself shows it, for each type of metric; and while the server is killed,
// away, and says that it cannot, no ping is lost or comes twice.
func TestGleanPython(t *testing.T) {
	t.Parallel() // it waits for most of its time
	requireClient(t, filepath.Join(gleanFolder(), "venv", "bin", "python"))
	port := ingesttest.FreePorts(t, 1)[0]
	address := fmt.Sprintf("127.0.0.1:%d", port)
	server := startClientServer(t, "--listen", address)
	app := startGleanApp(t, server.URL)
	server.waitForTypes(t, "org-example-demo-app/every-type")
	requireMetrics(t, server, app.said)

	// Nothing of what follows waits for the application: it sends when it wants to.
	app.send(t, 3)
	server.Kill()
	app.send(t, 2)
	failing := failingServer(t, address)
	app.send(t, 2)
	ingesttest.Wait(t, func() bool { return failing.answered() > 0 })
	failing.close(t)
	server.start(t, "--listen", address)

	// Glean sends again what failed when the next ping is made.
	for end := time.Now().Add(clientLimit); ; time.Sleep(5 * time.Second) {
		app.send(t, 1)
		if got := numbersOf(t, server); len(got) >= 7 && got[0] == 1 && got[6] == 7 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("numbers %v of %d arrived", numbersOf(t, server), app.number)
		}
	}
	app.quit(t)
	server.requireNothingRejected(t)
	for i, number := range numbersOf(t, server) {
		if number != i+1 {
			t.Fatalf("numbers %v, want each from 1 once", numbersOf(t, server))
		}
	}
}

// numbersOf returns the numbers of the pings that are stored, in order.
func numbersOf(t *testing.T, server *clientServer) (numbers []int) {
	t.Helper()
	for _, record := range server.records(t, `{ number: ping.metric("demo.number") }`) {
		if number, ok := record.Seen["number"].(float64); ok && record.Type == "numbered" {
			numbers = append(numbers, int(number))
		}
	}
	slices.Sort(numbers)
	return numbers
}

// requireMetrics compares the metrics of each every-type ping with what Glean said.
func requireMetrics(t *testing.T, server *clientServer, said map[string]any) {
	t.Helper()
	names, err := json.Marshal(slices.Sorted(maps.Keys(said)))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, record := range server.records(t, fmt.Sprintf(everyMetric, names)) {
		if record.Type != "every-type" {
			continue
		}
		found = true
		for name, want := range said {
			if got := record.Seen[name]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s: a script sees %v, Glean says %v", name, got, want)
			}
		}
	}
	if !found {
		t.Error("no ping with the metrics of every type")
	}
}

// unavailable is a server that answers 503 to everything.
type unavailable struct {
	*http.Server
	requests chan struct{} // one element a request, up to its capacity
	ended    chan error
}

func failingServer(t *testing.T, address string) *unavailable {
	t.Helper()
	u := &unavailable{requests: make(chan struct{}, 100), ended: make(chan error, 1)}
	u.Server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		select {
		case u.requests <- struct{}{}:
		default:
		}
	})}
	// The port of the server that was killed is free at once, or a moment later.
	var listener net.Listener
	ingesttest.Wait(t, func() (ok bool) {
		var err error
		listener, err = net.Listen("tcp", address)
		return err == nil
	})
	go func() { u.ended <- u.Serve(listener) }()
	t.Cleanup(func() { u.Server.Close() })
	return u
}

func (u *unavailable) answered() int { return len(u.requests) }

func (u *unavailable) close(t *testing.T) {
	t.Helper()
	if err := u.Server.Close(); err != nil {
		t.Error(err)
	}
	<-u.ended
}

// TestGleanWeb: pings of Glean.js in a real page arrive by sendBeacon and, where a tag is
// set, by fetch with its preflight.
func TestGleanWeb(t *testing.T) {
	t.Parallel()
	chromium := requireClient(t, "chromium")
	python := requireClient(t, filepath.Join(gleanFolder(), "venv", "bin", "python"))
	page := t.TempDir()
	if err := os.CopyFS(page, os.DirFS("testdata/clients")); err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(gleanFolder(), "node_modules")
	for _, args := range [][]string{
		{python, "-m", "glean_parser", "translate", "-f", "javascript", "-o", "gen", "metrics.yaml", "pings.yaml"},
		{filepath.Join(modules, ".bin", "esbuild"), "--bundle", "--format=esm", "--log-level=error", "--outfile=web.bundle.js", "web.js"},
	} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir, cmd.Env = page, append(os.Environ(), "NODE_PATH="+modules)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}

	// Glean.js sends to https only.
	cert, key := ingesttest.Certificate(t)
	server := startClientServer(t, "--tls-cert", cert, "--tls-key", key)
	pages := httptest.NewServer(http.FileServer(http.Dir(page)))
	defer pages.Close()
	for i, tag := range []string{"", "my-tag"} {
		url := pages.URL + "/?to=" + server.URL + "&tag=" + tag
		startInGroup(t, exec.Command(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--no-first-run", "--ignore-certificate-errors", "--disable-background-networking", "--user-data-dir="+t.TempDir(), url))
		ingesttest.Wait(t, func() bool { return len(everyTypes(t, server)) == i+1 })
	}

	// By beacon there are no tags: a page cannot set headers.
	var tags []string
	for _, record := range everyTypes(t, server) {
		tags = append(tags, record.Tags)
		if record.Channel != "release" || record.Version != "7.1" || record.AppName != "org-example-webapp" {
			t.Errorf("%+v, want release 7.1 of org-example-webapp", record)
		}
	}
	slices.Sort(tags)
	if got := strings.Join(tags, "|"); got != "|automation" {
		t.Errorf("tags %q, want none by beacon and automation by fetch", tags)
	}
	requireMetrics(t, server, map[string]any{
		"a_boolean": true, "a_counter": 3.0, "a_string": "vanilla \"é\" 🍧", "a_string_list": []any{"a", "b"},
		"a_text": strings.Repeat("x", 2000), "a_quantity": 8.0, "a_url": "https://example.org/a?b=c",
		"a_rate":           map[string]any{"numerator": 3.0, "denominator": 10.0},
		"labeled_counters": map[string]any{"disk": 2.0},
	})
	server.requireNothingRejected(t)
}

func everyTypes(t *testing.T, server *clientServer) []clientRecord {
	t.Helper()
	return slices.DeleteFunc(server.records(t, "{}"), func(r clientRecord) bool { return r.Type != "every-type" })
}
