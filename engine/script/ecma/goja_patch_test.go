package ecma_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGojaPatchApplies: the patch in docs fits the goja that the project uses.
func TestGojaPatchApplies(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI skips nothing: git is missing")
		}
		t.Skip("git is missing")
	}
	patch, err := filepath.Abs("../../../docs/goja/arrays.patch")
	if err != nil {
		t.Fatal(err)
	}
	listed, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/dop251/goja").Output()
	if err != nil {
		t.Fatal(err)
	}

	// In a copy, because git says nothing of files in a repository that it does not track.
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(strings.TrimSpace(string(listed)))); err != nil {
		t.Fatal(err)
	}
	check := exec.Command("git", "apply", "--check", "--verbose", patch)
	check.Dir = copied
	said, err := check.CombinedOutput()
	if err != nil || strings.Contains(string(said), "Skipped patch") {
		t.Errorf("%v: %s", err, said)
	}
}
