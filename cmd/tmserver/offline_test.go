package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// TestOfflineCacheAppearsLater: definitions that are copied into the data folder of a
// server that runs offline are found.
func TestOfflineCacheAppearsLater(t *testing.T) {
	dir := t.TempDir()
	flags := dataFolderFlags{}
	flags.Offline = true
	flags.RevisionServer = "https://hg.mozilla.org"
	folder, err := flags.openDataFolder(t.Context(), &cli.State{Stderr: io.Discard, Log: slog.New(slog.DiscardHandler)}, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()

	ref := revisions.Ref{Repo: "mozilla-central", Revision: "26cb30a532a1"}
	if folder.definitions.AtHand(ref) != nil {
		t.Fatal("definitions without a cache")
	}
	file := filepath.Join(dir, layout.RevisionCacheDir, ref.Repo, ref.Revision)
	if err := os.MkdirAll(file, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(file, "Histograms.json"), []byte(`{"A":{"kind":"flag"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if folder.definitions.AtHand(ref) == nil {
		t.Error("the definitions are not found")
	}
}
