package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aitgithub/telemetry-server/cmd/cli/clitest"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
)

// liveScripts are a script of each kind, in the folder of the server.
var liveScripts = map[string]string{
	"plain.js": `export const live = true
export function map(id, dims, ping, ctx) { ctx.write([dims.appVersion, ping.info.OS], 1) }
export function combine(key, counts, ctx) { ctx.write(key, counts.reduce((a, b) => a + b)) }
export const reduce = combine
`,
	"table.js": `import { histograms } from "tables"
export const live = true
export const all = histograms("channel", "histogram")
export function map(id, dims, ping) { all.addEach(dims.appUpdateChannel, ping.histograms, /^GC_/) }
`,
}

// TestLiveScripts publishes records, compacts and starts the server again, in random order.
// After each step the results of live scripts become those of a run over everything.
func TestLiveScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("builds tmrun, and takes half a minute")
	}

	tmrun := filepath.Join(clitest.Build(t, "tmrun"), "tmrun")
	dir, scripts := t.TempDir(), t.TempDir()
	if err := gen.WriteCache(filepath.Join(dir, layout.RevisionCacheDir)); err != nil {
		t.Fatal(err)
	}
	for name, text := range liveScripts {
		if err := os.WriteFile(filepath.Join(scripts, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	start := func() *ingesttest.Server {
		return ingesttest.Serve(t, "tmserver", dir, "--scripts", scripts, "--tmrun", tmrun, "--admin-listen", "127.0.0.1:0", "--max-log-age", "200ms", "--workers", "1", "--compact-every", "0")
	}
	server := start()
	random := rand.New(rand.NewPCG(1, 2))
	generator := gen.New(1)
	sent := 0
	for step := range 6 {
		switch {
		case step == 2 || step > 3 && random.IntN(2) == 0:
			compact := exec.Command("tmserver", "compact", "--data-dir", dir, "--grace", "0s")
			if out, err := compact.CombinedOutput(); err != nil {
				t.Fatalf("compact: %v\n%s", err, out)
			}
		case step == 3:
			server.Stop(t)
			server = start()
		}

		for range 5 + random.IntN(20) {
			answer, err := http.Post(fmt.Sprintf("%s/submit/telemetry/%08d-0000-4000-8000-000000000000", server.URL, sent), "", bytes.NewReader(generator.Ping(sent).JSON))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Fatal(answer.Status)
			}
			sent++
		}
		ingesttest.Wait(t, func() bool { return len(ingesttest.Published(t, dir)) == sent })

		for name := range liveScripts {
			batch := exec.Command(tmrun, "--data-dir", dir, "--no-cache", "--format", "jsonl", filepath.Join(scripts, name))
			want, err := batch.Output()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var got []byte
			defer func() {
				if t.Failed() {
					t.Logf("%s: got\n%swant\n%s", name, got, want)
				}
			}()
			ingesttest.Wait(t, func() bool {
				got = liveResult(t, server.Admin, name)
				return bytes.Equal(got, want)
			})
		}
	}
	server.Stop(t)
}

// liveResult returns the newest result of a live run, nil if there is none yet.
func liveResult(t *testing.T, admin, script string) []byte {
	t.Helper()
	get := func(path string) []byte {
		answer, err := http.Get(admin + "/api/v1/jobs" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}

	var list struct{ Jobs []api.Run }
	if err := json.Unmarshal(get("?script="+script), &list); err != nil {
		t.Fatal(err)
	}
	for _, run := range list.Jobs {
		if run.State == api.Failed {
			t.Fatalf("%s: %s\n%s", script, run.Error, get("/"+run.ID+"/log"))
		}
		if run.Cause == api.ByLive && run.State == api.Done {
			return get("/" + run.ID + "/results/" + run.Results[0].Name)
		}
	}
	return nil
}
