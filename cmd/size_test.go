package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// maxProgramBytes bounds the programs as they are released. A dependency that makes one
// larger needs a reason, because it also takes longer to compile on the first
// `go run ./cmd/tmserver demo`: see docs/BENCHMARKS.md.
var maxProgramBytes = map[string]int64{"tmrun": 33e6, "tmserver": 46e6}

// TestProgramSizes: no program is larger than its limit.
func TestProgramSizes(t *testing.T) {
	if os.Getenv("CI") == "" || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("links both programs, on the platform of the limits; needs CI=true")
	}

	for name, limit := range maxProgramBytes {
		out := filepath.Join(t.TempDir(), name)
		build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./"+name)
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build ./%s: %v\n%s", name, err, text)
		}

		info, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > limit {
			t.Errorf("%s has %d bytes, more than %d", name, info.Size(), limit)
		}
	}
}
