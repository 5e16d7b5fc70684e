package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine/script"
)

// TestFailureFilesAreRemoved: the newest files of failed calls stay, whatever other files
// there are.
func TestFailureFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		path := filepath.Join(dir, fmt.Sprintf("tmrun-failed-%d.jsonl", i))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}

		// A few hours apart, and the last ten beyond the limit of age.
		age := time.Duration(i) * time.Hour
		if i >= 30 || i == 5 {
			age += maxFailureAge
		}
		if err := os.Chtimes(path, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "other.jsonl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	failed := failedCalls{calls: []*script.Call{{}}}
	name, err := failed.save(dir)
	if err != nil {
		t.Fatal(err)
	}

	files, err := filepath.Glob(filepath.Join(dir, failurePattern))
	if err != nil || len(files) != maxFailureFiles {
		t.Errorf("%d files stay, %v; want %d", len(files), err, maxFailureFiles)
	}
	for _, want := range []string{name, filepath.Join(dir, "tmrun-failed-0.jsonl"), filepath.Join(dir, "other.jsonl")} {
		if _, err := os.Stat(want); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "tmrun-failed-5.jsonl")); err == nil {
		t.Error("a file beyond the limit of age stays")
	}
}
