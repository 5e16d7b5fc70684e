package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// requireProgram skips a test whose program is missing; in CI none is.
func requireProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// kitRun runs a program in the folder of the kit and returns what it printed.
func kitRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	requireProgram(t, name)
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = "kit"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestKitRules(t *testing.T) {
	kitRun(t, "promtool", "check", "rules", "prometheus-rules.yml")
	kitRun(t, "promtool", "test", "rules", "prometheus-rules_test.yml")

	// Every alert has a case that raises it.
	rules := read(t, "kit/prometheus-rules.yml")
	cases := read(t, "kit/prometheus-rules_test.yml")
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(cases, alert[1]) {
			t.Errorf("no case raises %s", alert[1])
		}
	}
}

// TestKitUnit: the unit is understood, names the program that the package installs, and
// is exposed no more than docs/operating.md says.
func TestKitUnit(t *testing.T) {
	unit := read(t, "kit/tmserver.service")
	out := kitRun(t, "systemd-analyze", "security", "--offline=true", "./tmserver.service")
	level := regexp.MustCompile(`exposure level for tmserver\.service: ([0-9.]+)`).FindStringSubmatch(out)
	if level == nil {
		t.Fatalf("systemd-analyze printed no level:\n%s", out)
	}
	if score, _ := strconv.ParseFloat(level[1], 64); score > 1.4 {
		t.Errorf("exposure level %s, want at most 1.4", level[1])
	}
	if docs := read(t, "../../docs/operating.md"); !strings.Contains(docs, "exposure level is "+level[1]) {
		t.Errorf("docs/operating.md does not say that the exposure level is %s", level[1])
	}

	// verify wants the program to be there.
	program, err := exec.LookPath("tmserver")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "tmserver.service")
	unit = strings.ReplaceAll(unit, "/usr/bin/tmserver", program)
	unit = regexp.MustCompile(`(?m)^Documentation=.*\n`).ReplaceAllString(unit, "")
	if err := os.WriteFile(copied, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := strings.TrimSpace(kitRun(t, "systemd-analyze", "verify", copied)); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}

	// What a variable of the kit sets is a flag of serve.
	_, help, _ := runHere(t, "serve", "--help")
	for _, file := range []string{"kit/tmserver.service", "kit/tmserver.default"} {
		for _, name := range regexp.MustCompile(`TMSERVER_\w+`).FindAllString(read(t, file), -1) {
			if !strings.Contains(help, "$"+name) {
				t.Errorf("%s sets %s, which no flag of serve has", file, name)
			}
		}
	}
}

func TestKitLogrotate(t *testing.T) {
	requireProgram(t, "logrotate")
	logs := t.TempDir()
	if err := os.WriteFile(filepath.Join(logs, "requests.jsonl"), []byte("{}\n"), 0o640); err != nil {
		t.Fatal(err)
	}

	// The same rules for a folder and a user of this machine.
	config := strings.ReplaceAll(read(t, "kit/tmserver.logrotate"), "/var/log/tmserver", logs)
	config = regexp.MustCompile(`(?m)^.*(create|su) .*\n`).ReplaceAllString(config, "")
	file := filepath.Join(t.TempDir(), "tmserver")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "logrotate", "--force", "--state", filepath.Join(t.TempDir(), "state"), file).CombinedOutput()
	if err != nil {
		t.Fatalf("logrotate: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(logs, "requests.jsonl.1")); err != nil {
		t.Error(err)
	}
}

// TestKitDashboard runs every query of the Grafana dashboard in a real Prometheus that
// scrapes a real server.
func TestKitDashboard(t *testing.T) {
	requireProgram(t, "prometheus")
	dir := t.TempDir()
	if err := gen.WriteCache(filepath.Join(dir, "histogram_cache")); err != nil {
		t.Fatal(err)
	}
	server := ingesttest.Serve(t, "tmserver", dir, "--max-log-age", "200ms", "--admin-listen", "127.0.0.1:0")
	prometheus := startPrometheus(t, server.Admin)

	// Records, rejections and answers of several codes, while Prometheus scrapes.
	g := gen.New(1)
	submit := func(i int) {
		for id, body := range map[string]string{fmt.Sprint("good-", i): string(g.Ping(i).JSON), fmt.Sprint("bad-", i): "{"} {
			resp, err := http.Post(server.URL+"/submit/telemetry/"+id, "", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	i := 0
	ingesttest.Wait(t, func() bool {
		submit(i)
		i++
		got := query(t, prometheus, `count(telemetry_records_total) + count(telemetry_invalid_total) + count(rate(telemetry_requests_total{code="200"}[1m]) > 0)`)
		return len(got) > 0
	})

	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "kit/grafana-dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*").Replace(target.Expr)
			got := query(t, prometheus, expr)
			// No filter is there, so nothing is dropped by one.
			if len(got) == 0 && !strings.Contains(expr, "filtered_total") {
				t.Errorf("%s: no data for %s", panel.Title, expr)
			}
		}
	}
	server.Stop(t)
}

// startPrometheus starts one that scrapes the address of an admin listener each second,
// with the kit's rules, and returns its URL.
func startPrometheus(t *testing.T, admin string) string {
	t.Helper()
	rules, err := filepath.Abs("kit/prometheus-rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: tmserver, static_configs: [{targets: [%q]}]}]\n", rules, target.Host)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}

	address := fmt.Sprintf("127.0.0.1:%d", ingesttest.FreePorts(t, 1)[0])
	cmd := exec.CommandContext(t.Context(), "prometheus", "--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+address)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus: %s", read(t, log.Name()))
		}
	})

	base := "http://" + address
	ingesttest.Wait(t, func() bool {
		resp, err := http.Get(base + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return base
}

// query returns the values that an instant query gives; an error fails the test.
func query(t *testing.T, prometheus, expr string) (values []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, prometheus+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}

	var answer struct {
		Status string
		Data   struct{ Result []struct{ Value [2]any } }
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %v %s", expr, err, body)
	}
	for _, result := range answer.Data.Result {
		values = append(values, fmt.Sprint(result.Value[1]))
	}
	return values
}

// TestServeNotifiesSystemd: Type=notify of the unit needs the server to say that it is
// ready, and that it stops.
func TestServeNotifiesSystemd(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	received := func() string {
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		message := make([]byte, 100)
		n, err := conn.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		return string(message[:n])
	}

	t.Setenv("NOTIFY_SOCKET", socket)
	server := ingesttest.Serve(t, "tmserver", t.TempDir(), "--offline")
	if got := received(); got != "READY=1" {
		t.Errorf("at the start it says %q", got)
	}
	server.Stop(t)
	if got := received(); got != "STOPPING=1" {
		t.Errorf("at the stop it says %q", got)
	}
}

// runHere runs tmserver in this process.
func runHere(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	st := &cli.State{Args: args, Env: func(string) string { return "" }, Stdout: &out, Stderr: &errs, Now: time.Now}
	code = run(st)
	return code, out.String(), errs.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
