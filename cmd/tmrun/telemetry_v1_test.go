package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/cmd/cli/clitest"
)

// TestTelemetryV1 lets the telemetry dashboard's own JavaScript read the files of
// histogram_aggregates, and compares what it shows with sums over the pings. That
// JavaScript is not the project's: TELEMETRY_V1_JS names a copy of v1/telemetry.js of
// mozilla/telemetry-dashboard.
func TestTelemetryV1(t *testing.T) {
	library := os.Getenv("TELEMETRY_V1_JS")
	if library == "" {
		t.Skip("TELEMETRY_V1_JS is not set")
	}
	bin := clitest.Build(t, "tmserver", "tmrun")
	dir := t.TempDir()
	run := func(program string, args ...string) string {
		t.Helper()
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v: %s", program, strings.Join(args, " "), err, out)
		}
		return string(out)
	}

	rawLog, data, cache := filepath.Join(dir, "telemetry.log.v4.h.1.1391385600000"), filepath.Join(dir, "data"), filepath.Join(dir, "data", "histogram_cache")
	run(filepath.Join(bin, "tmserver"), "gen", "--count", "300", "--seed", "3", "--format", "rawlog", "-o", rawLog, "--definitions", cache)
	run(filepath.Join(bin, "tmserver"), "import", "-d", data, "--offline", rawLog)

	tmrun := filepath.Join(bin, "tmrun")
	aggregates, sums := filepath.Join(dir, "aggregates.tsv"), filepath.Join(dir, "sums.jsonl")
	run(tmrun, "-d", data, "-o", aggregates, "histogram_aggregates")
	run(tmrun, "-d", data, "-o", sums, "testdata/peers/telemetry_v1.js")

	args := []string{"testdata/peers/telemetry_v1.mjs", library, aggregates, sums}
	definitions, err := filepath.Glob(filepath.Join(cache, "*", "*", "*", "Histograms.json"))
	if err != nil {
		t.Fatal(err)
	}
	central, err := filepath.Glob(filepath.Join(cache, "mozilla-central", "*", "Histograms.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(run("node", append(args, append(definitions, central...)...)...))
}
