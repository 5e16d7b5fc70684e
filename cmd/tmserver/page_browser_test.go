package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli/clitest"
)

// pageTools returns the folder of the npm packages that drive a browser. The test is skipped
// without it or the browser, and fails in CI.
func pageTools(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a browser and a minute")
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, ".cache")
	}
	dir := filepath.Join(cache, "telemetry-server", "node", "node_modules")
	_, packagesErr := os.Stat(filepath.Join(dir, "axe-core"))
	_, browserErr := exec.LookPath("chromium")
	_, nodeErr := exec.LookPath("node")
	for _, err := range []error{packagesErr, browserErr, nodeErr} {
		if err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI skips nothing: %v", err)
		}
		t.Skipf("the browser's tools are missing, .ci/deps installs them: %v", err)
	}
	return dir
}

// hostilePing is a ping with markup, marks that turn the writing around, and long strings in
// every field.
func hostilePing(t *testing.T) []byte {
	t.Helper()
	type object = map[string]any
	long := strings.Repeat("x", 10_000)
	text, err := json.Marshal(object{
		"type": "main", "version": 4, "clientId": long,
		"application": object{"name": hostileText, "channel": hostileText, "version": hostileText, "buildId": hostileText},
		"environment": object{"system": object{"os": object{"name": "<img src=x onerror=alert(2)>" + hostileText + long}}},
		"payload": object{
			"info":      object{"reason": hostileText},
			"processes": object{"parent": object{"scalars": object{hostileText: long, "a.b": hostileText}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// pageScripts are scripts by name, whose rows have each of the shapes that the page draws, and
// hostile texts wherever a script has its say.
func pageScripts(t *testing.T) map[string]string {
	t.Helper()
	hostile, err := json.Marshal("<img src=x onerror=alert(3)>" + hostileText)
	if err != nil {
		t.Fatal(err)
	}
	const count = "export function reduce(key, counts, ctx) { ctx.write(key, counts.reduce((a, b) => a + b)) }\n"
	return map[string]string{
		"bars.js":    "export const schedule = '@daily', alert = { above: 1 }\nexport function map(id, dims, ping, ctx) { ctx.counter('seen').add(1); ctx.write(dims.appUpdateChannel, 1) }\n" + count,
		"slow.js":    "export function map(id, dims, ping, ctx) { for (let i = 0; i < 2e7; i++); }\n" + count,
		"buckets.js": "import { histograms } from 'tables'\nexport const gc = histograms('channel')\nexport function map(id, dims, ping) { const found = ping.histogram('GC_MS'); if (found) gc.add(dims.appUpdateChannel, found) }\n",
		"bounds.js":  "export const columns = ['bound', 'samples']\nexport function map(id, dims, ping, ctx) { ping.histogram('GC_MS')?.counts.forEach((n, i) => { if (n) ctx.write(ping.histogram('GC_MS').bounds[i], n) }) }\n" + count,
		"dates.js":   "export function alert(rows, previous) { return { message: `${rows.length} days, before ${previous?.length}` } }\nexport function map(id, dims, ping, ctx) { ctx.write(dims.submission_date, 1) }\n" + count,
		"heat.js":    "export const chart = { type: 'heatmap' }\nexport function map(id, dims, ping, ctx) { ctx.write([dims.appUpdateChannel, dims.submission_date], 1) }\n" + count,
		"hostile.js": fmt.Sprintf("export const title = %[1]s, description = %[1]s\nexport function map(id, dims, ping, ctx) { ctx.counter(%[1]s).add(1); ctx.write(%[1]s, 1) }\n", hostile) + count,
		"throws.js":  fmt.Sprintf("export function map() { throw new Error(%s) }\n", hostile),
		"broken.js":  "export function map( {<script>alert(4)</script>",
	}
}

// TestBrowser visits every view of the page of a real server in a real browser.
func TestBrowser(t *testing.T) {
	tools := pageTools(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	tmserver := func(arguments ...string) {
		t.Helper()
		command := exec.CommandContext(ctx, "tmserver", arguments...)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("tmserver %s: %v\n%s", arguments[0], err, out)
		}
	}
	tmserver("gen", "--count", "80", "--format", "rawlog", "--gzip", "-o", filepath.Join(dir, "week.v4"), "--definitions", filepath.Join(data, "histogram_cache"))
	tmserver("import", "--data-dir", data, "--offline", filepath.Join(dir, "week.v4"))

	// Scripts, one for each shape of a result, and one that does not load.
	scripts := filepath.Join(dir, "scripts")
	if err := os.Mkdir(scripts, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range pageScripts(t) {
		if err := os.WriteFile(filepath.Join(scripts, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	// The server, until the end of the test.
	const token, viewer = "the operator's token", "a viewer's token"
	ready := filepath.Join(dir, "ready")
	server := exec.CommandContext(ctx, "tmserver", "serve", "--data-dir", data, "--offline", "--max-log-age", "1s", "--scripts", scripts,
		"--job-timeout", "20m", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--ready-file", ready, "--tmrun", filepath.Join(clitest.Build(t, "tmrun"), "tmrun"))
	server.Env = append(os.Environ(), "TMSERVER_ADMIN_TOKEN="+token, "TMSERVER_VIEWER_TOKEN="+viewer)
	var log bytes.Buffer
	server.Stderr = &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}

	// Nothing waits for a server that has ended by itself.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Wait()
		cancel()
	}()
	defer func() {
		server.Process.Kill()
		<-ended
		if t.Failed() {
			text := log.Bytes()
			t.Logf("the server's log ends with\n%s", text[max(0, len(text)-5000):])
		}
	}()
	until(ctx, t, "the server is ready", func() bool { _, err := os.Stat(ready); return err == nil })
	text, err := os.ReadFile(ready)
	if err != nil {
		t.Fatal(err)
	}
	var submit, admin string
	if _, err := fmt.Sscanf(string(text), "listening %s\nadmin %s\n", &submit, &admin); err != nil {
		t.Fatalf("%q: %v", text, err)
	}

	// What clients should not send.
	post := func(path string, body []byte) {
		t.Helper()
		answer, err := http.Post(submit+path, "", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("POST %s: %s", path, answer.Status)
		}
	}
	post("/submit/telemetry/%3Cscript%3Ealert(9)%3C%2Fscript%3E", hostilePing(t))
	post("/submit/telemetry/no-json", []byte("<script>alert(5)</script>"))
	until(ctx, t, "the hostile ping can be explored", func() bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/api/v1/measures", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var names struct{ Measures []struct{ Name string } }
		if err := json.NewDecoder(answer.Body).Decode(&names); err != nil {
			t.Fatal(err)
		}
		for _, measure := range names.Measures {
			if strings.HasPrefix(measure.Name, "<script>") {
				return true
			}
		}
		return false
	})

	visit := exec.CommandContext(ctx, "node", "ui/browser/visit.mjs", admin, submit, token, viewer, scripts)
	visit.Env = append(os.Environ(), "NODE_PATH="+tools)
	out, err := visit.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the page is not as it should be: %v", err)
	}
}

// until polls until done, or until ctx ends.
func until(ctx context.Context, t *testing.T, what string, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
