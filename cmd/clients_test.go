package cmd_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// requireClient returns the path of a program that sends telemetry. Without it the test
// skips; in CI it is there.
func requireClient(t *testing.T, program string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("drives a real client")
	}
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI skips nothing: %v", err)
		}
		t.Skip(err)
	}
	return path
}

// gleanFolder is where .ci/clients has put the Glean SDKs.
func gleanFolder() string {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	return filepath.Join(cache, "telemetry-server", "clients")
}

// clientServer is a tmserver that real clients send to, and what became of their pings.
type clientServer struct {
	*ingesttest.Server
	bin, dir string
}

// startClientServer builds both programs and starts the server on a port of its own.
func startClientServer(t *testing.T, flags ...string) *clientServer {
	t.Helper()
	s := &clientServer{bin: t.TempDir(), dir: t.TempDir()}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.bin, "./tmserver", "./tmrun").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.start(t, flags...)
	return s
}

func (s *clientServer) start(t *testing.T, flags ...string) {
	t.Helper()
	s.Server = ingesttest.Serve(t, filepath.Join(s.bin, "tmserver"), s.dir, append([]string{"--max-log-age", "300ms"}, flags...)...)
}

// clientRecord is what a script sees of a stored ping.
type clientRecord struct {
	ID                                                string
	Type, AppName, Channel, Version, Build, Namespace string
	Tags                                              string         // the header X-Source-Tags
	Seen                                              map[string]any // what the test's own expression gives
}

// records runs a job over what is stored. seen is the source of an expression over
// ping and dims.
func (s *clientServer) records(t *testing.T, seen string) (records []clientRecord) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "records.js")
	text := `export function map(id, dims, ping, ctx) {
  const m = ping.metadata ?? {}
  ctx.write(id, JSON.stringify({ ID: id, Type: dims.reason, AppName: dims.appName, Channel: dims.appUpdateChannel, Version: dims.appVersion,
    Build: dims.appBuildID, Namespace: m.document_namespace, Tags: m.header?.x_source_tags, Seen: (` + seen + `) }))
}
`
	if err := os.WriteFile(script, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, "tmrun"), "--data-dir", s.dir, "--no-cache", "--progress", "none", "--format", "jsonl", script)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 3 {
		return nil // nothing is stored yet
	}
	if err != nil {
		t.Fatalf("tmrun: %v\n%s", err, &stderr)
	}

	for line := range strings.Lines(string(out)) {
		var row struct{ Value string }
		var record clientRecord
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(row.Value), &record); err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

// clientLimit is when a test gives up waiting for pings: some clients wait for a minute
// before they send again.
const clientLimit = 5 * time.Minute

// waitForTypes returns when a record of each of these applications and types is stored.
func (s *clientServer) waitForTypes(t *testing.T, want ...string) []clientRecord {
	t.Helper()
	for end := time.Now().Add(clientLimit); ; time.Sleep(500 * time.Millisecond) {
		records := s.records(t, "{ info: !!ping.client_info }")
		seen := map[string]bool{}
		for _, record := range records {
			seen[record.AppName+"/"+record.Type] = true
		}
		missing := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return seen[name] })
		if len(missing) == 0 {
			return records
		}
		if time.Now().After(end) {
			t.Fatalf("%q did not arrive; these did: %q", missing, slices.Sorted(maps.Keys(seen)))
		}
	}
}

// requireNothingRejected ends the server, which converts what it has, and checks that
// every ping became a record.
func (s *clientServer) requireNothingRejected(t *testing.T) {
	t.Helper()
	s.Stop(t)
	if left, _ := filepath.Glob(filepath.Join(s.dir, "invalid", "*")); len(left) > 0 {
		t.Errorf("rejected: %q", left)
	}
}
