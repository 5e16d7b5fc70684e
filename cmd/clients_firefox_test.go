package cmd_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// startInGroup starts a program and ends it, with all processes that it started, at the
// end of the test.
func startInGroup(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if cmd.ProcessState == nil {
			cmd.Wait()
		}
	})
}

// snapshots is what Firefox itself says of its histograms: by process, for keyed ones
// also by key.
type snapshots struct {
	ID     string // of the main ping that was made at the same moment
	Parent map[string]firefoxHistogram
	Keyed  map[string]map[string]firefoxHistogram
	Other  map[string]firefoxHistogram // of content processes
}

// firefoxHistogram is a snapshot of Firefox, or what a script sees of it.
type firefoxHistogram struct {
	Sum    float64
	Values map[string]float64 // by the lower bound of the bucket
}

// takeSnapshots waits until content processes have histograms, and makes a main ping as
// a change of the environment does. Script runs alone in the main thread, so what it
// reads belongs to one moment; other threads may add to a histogram nevertheless, so
// only those are returned that are the same before and after.
const takeSnapshots = `
const { TelemetrySession } = ChromeUtils.importESModule("resource://gre/modules/TelemetrySession.sys.mjs")
const { TelemetryController } = ChromeUtils.importESModule("resource://gre/modules/TelemetryController.sys.mjs")
const all = () => Services.telemetry.getSnapshotForHistograms("main", false, true)
const keyed = () => Services.telemetry.getSnapshotForKeyedHistograms("main", false, true).parent
while (!Object.keys(all().content).length || !Object.keys(keyed()).length) await new Promise(done => setTimeout(done, 100))

const parents = () => Object.fromEntries(Object.keys(all().parent).map(name => [name, Services.telemetry.getHistogramById(name).snapshot()]))
const keys = () => Object.fromEntries(Object.keys(keyed()).map(name => [name, Services.telemetry.getKeyedHistogramById(name).snapshot()]))
const take = () => ({ Parent: parents(), Keyed: keys(), Other: all().content })
const before = take()
const payload = TelemetrySession.getPayload("environment-change", false)
const after = take()
for (const kind in before)
  for (const name in before[kind])
    if (JSON.stringify(before[kind][name]) != JSON.stringify(after[kind][name])) delete before[kind][name]
const ID = await TelemetryController.submitExternalPing("main", payload, { addClientId: true, addEnvironment: true })
return { ID, ...before }`

// seenHistograms is an expression of a script: the same of a record.
const seenHistograms = `(() => {
  if (dims.reason != "main" || id != %q) return {}
  const read = h => {
    const Values = {}
    h.counts.forEach((n, i) => { if (n) Values[h.bounds[i]] = n })
    return { Sum: h.sum, Values }
  }
  const asked = %s
  const out = { Parent: {}, Keyed: {}, Other: {} }
  const set = (to, name, h) => { if (h) to[name] = read(h) }
  for (const name of asked.Parent) set(out.Parent, name, ping.histogram(name))
  for (const name of asked.Other) set(out.Other, name, ping.histogram(name, { process: "content" }))
  for (const name in asked.Keyed)
    for (const key of asked.Keyed[name]) set(out.Keyed[name] ??= {}, key, ping.histogram(name, { key }))
  return { text: JSON.stringify(out) }
})()`

// TestFirefox: a real Firefox, whose profile names the server, is understood: the pings
// of a session become records with the right dimensions, and their histograms are those
// that the browser itself shows.
func TestFirefox(t *testing.T) {
	program := requireClient(t, "firefox-esr")
	server := startClientServer(t)
	profile := filepath.Join(t.TempDir(), "profile")

	browser := startFirefox(t, program, profile, server.URL)
	var build struct{ Version, Display, Channel, Build string }
	browser.run(t, `const { AppConstants } = ChromeUtils.importESModule("resource://gre/modules/AppConstants.sys.mjs")
		return { Version: Services.appinfo.version, Display: AppConstants.MOZ_APP_VERSION_DISPLAY, Channel: Services.prefs.getDefaultBranch("").getCharPref("app.update.channel"), Build: Services.appinfo.appBuildID }`, &build)
	var want snapshots
	browser.run(t, takeSnapshots, &want)
	browser.run(t, `for (const name of ["baseline", "metrics", "events", "health"]) Services.fog.sendPing(name)`, nil)
	server.waitForTypes(t, "Firefox/new-profile", "Firefox/event", "Firefox/main", "firefox-desktop/health",
		"firefox-desktop/baseline", "firefox-desktop/metrics", "firefox-desktop/events")

	// The end of the first session is told by pingsender.
	browser.quit(t)
	records := server.waitForTypes(t, "Firefox/first-shutdown", "firefox-desktop/usage-reporting")

	// Glean has the version as the browser shows it (153.8.0esr). Pings without client_info,
	// such as the content of the new tab, have none of them by design.
	for _, record := range records {
		got := []string{record.Channel, record.Version, record.Build}
		want := []string{build.Channel, build.Display, build.Build}
		switch {
		case record.AppName == "Firefox":
			want[1] = build.Version
		case record.Seen["info"] != true && record.Type != "usage-reporting":
			want = []string{"UNKNOWN", "UNKNOWN", "UNKNOWN"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s %s %s has %q, want %q", record.AppName, record.Type, record.ID, got, want)
		}
	}

	requireHistograms(t, server, want)

	// The opt-out: a request of each kind to delete what was sent. Debian's Firefox does not
	// make the first one by itself, because it has another name. With the opt-out the browser
	// deletes what it has not sent yet.
	browser = startFirefox(t, program, profile, server.URL)
	browser.run(t, `const { UsageReporting } = ChromeUtils.importESModule("resource://gre/modules/UsageReporting.sys.mjs")
		await UsageReporting.ensureInitialized()
		GleanPings.usageDeletionRequest.submit("set_upload_enabled")`, nil)
	server.waitForTypes(t, "firefox-desktop/usage-deletion-request")
	browser.run(t, `Services.prefs.setBoolPref("datareporting.healthreport.uploadEnabled", false)`, nil)
	server.waitForTypes(t, "Firefox/deletion-request", "firefox-desktop/deletion-request")
	browser.quit(t)
	server.requireNothingRejected(t)

	// What was sent is forgotten: nothing of it is left.
	for _, command := range []string{"apply", "status"} {
		if out, err := exec.CommandContext(t.Context(), filepath.Join(server.bin, "tmserver"), "forget", command, "--data-dir", server.dir).CombinedOutput(); err != nil {
			t.Errorf("tmserver forget %s: %v\n%s", command, err, out)
		}
	}
	for _, record := range server.records(t, "{}") {
		if record.ID == want.ID {
			t.Error("the main ping of the client that opted out is still there")
		}
	}
}

// requireHistograms compares the histograms of a record with the browser's own.
func requireHistograms(t *testing.T, server *clientServer, want snapshots) {
	t.Helper()
	keys := map[string][]string{}
	for name, byKey := range want.Keyed {
		keys[name] = slices.Sorted(maps.Keys(byKey))
	}
	asked, err := json.Marshal(map[string]any{"Parent": slices.Sorted(maps.Keys(want.Parent)), "Other": slices.Sorted(maps.Keys(want.Other)), "Keyed": keys})
	if err != nil {
		t.Fatal(err)
	}
	var got snapshots
	for _, record := range server.records(t, fmt.Sprintf(seenHistograms, want.ID, asked)) {
		if text, ok := record.Seen["text"].(string); ok {
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
		}
	}

	// At least one of each kind, and every one of them.
	if len(want.Parent) == 0 || len(want.Keyed) == 0 || len(want.Other) == 0 {
		t.Fatalf("the browser has %d histograms, %d keyed ones, %d of content processes", len(want.Parent), len(want.Keyed), len(want.Other))
	}
	t.Logf("%d histograms, %d keyed ones, %d of content processes", len(want.Parent), len(want.Keyed), len(want.Other))
	compareHistograms(t, "parent", got.Parent, want.Parent)
	compareHistograms(t, "content", got.Other, want.Other)
	for name := range want.Keyed {
		compareHistograms(t, name, got.Keyed[name], want.Keyed[name])
	}
}

func compareHistograms(t *testing.T, what string, got, want map[string]firefoxHistogram) {
	t.Helper()
	for name, w := range want {
		// A snapshot has an empty bucket before and after those with samples.
		maps.DeleteFunc(w.Values, func(_ string, n float64) bool { return n == 0 })
		if g := got[name]; g.Sum != w.Sum || !maps.Equal(g.Values, w.Values) {
			t.Errorf("%s, %s: %+v, the browser says %+v", what, name, g, w)
		}
	}
}
