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
	out := runDocs(t, "../docs/operating.md", "drill")

	// The clients must have sent something, or the drill shows nothing.
	want := regexp.MustCompile(`(?m)^[1-9][0-9]* acknowledged, 0 lost, 0 doubled$`)
	if !want.MatchString(out) {
		t.Errorf("the drill says\n%s", out)
	}
}

// TestForgetDocs runs the deletion request of docs/clients.md as it stands there.
func TestForgetDocs(t *testing.T) {
	out := runDocs(t, "../docs/clients.md", "forget")
	for _, want := range []string{
		`(?m)1b2c38f3-52b6-4f0c-9f0e-0b7a3c0e6a51\t.*\t\*$`, `(?m)^records\t1$`, `(?m)^published/baseline/.*\thas records$`,
		`(?m)^forgot 1 clients: removed 1 records `, `(?m)^nothing is left of 1 forgotten clients$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s is not in\n%s", want, out)
		}
	}
}

// runDocs runs the shell commands that a document has under a tag, and returns what they print.
func runDocs(t *testing.T, document, tag string) string {
	t.Helper()
	requireShell(t)
	docs, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh " + tag + "\n(.*?)```").FindStringSubmatch(string(docs))
	if block == nil {
		t.Fatalf("%s has no commands for %s", document, tag)
	}
	port := strconv.Itoa(ingesttest.FreePorts(t, 1)[0])
	// What the commands started ends with them, even if one of them fails.
	script := "set -eum\ntrap 'kill -9 $(jobs -p) 2>/dev/null || :' EXIT\n" + strings.ReplaceAll(block[1], "8080", port)

	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./tmserver", "./tmrun").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = time.Minute
	cmd.Env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &stdout, &stderr)
	}
	t.Logf("%s\n%s", &stdout, &stderr)
	return stdout.String()
}
