package cmd_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// TestBackupDrill runs the drill of docs/operating.md as it stands there.
func TestBackupDrill(t *testing.T) {
	requireShell(t)
	docs, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	drill := regexp.MustCompile("(?s)```sh drill\n(.*?)```").FindStringSubmatch(string(docs))
	if drill == nil {
		t.Fatal("docs/operating.md has no drill")
	}
	port := strconv.Itoa(ingesttest.FreePorts(t, 1)[0])
	// What the drill started ends with it, even if a step of it fails.
	script := "set -eum\ntrap 'kill -9 $(jobs -p) 2>/dev/null || :' EXIT\n" + strings.ReplaceAll(drill[1], "8080", port)

	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./tmserver", "./tmrun").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = dir
	cmd.WaitDelay = time.Minute
	cmd.Env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &stdout, &stderr)
	}

	// The clients must have sent something, or the drill shows nothing.
	want := regexp.MustCompile(`(?m)^[1-9][0-9]* acknowledged, 0 lost, 0 doubled$`)
	if !want.MatchString(stdout.String()) {
		t.Errorf("the drill says\n%s\n%s", &stdout, &stderr)
	}
	t.Log(stdout.String())
}
