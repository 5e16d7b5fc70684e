package layout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
)

// TestFoldersMustBeOnOneDisk: a link in the place of a folder is refused at the start, and
// so is a file.
func TestFoldersMustBeOnOneDisk(t *testing.T) {
	for _, name := range []string{layout.RawDir, layout.PublishedDir, layout.QuarantineDir, layout.StateDir, layout.StagingDir} {
		dir := t.TempDir()
		elsewhere := t.TempDir()
		link := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(link), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, link); err != nil {
			t.Fatal(err)
		}
		if _, err := layout.OpenData(dir); err == nil || !strings.Contains(err.Error(), name+" is a symbolic link") {
			t.Errorf("%s is a link: %v", name, err)
		}

		os.Remove(link)
		if err := os.WriteFile(link, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := layout.OpenData(dir); err == nil || !strings.Contains(err.Error(), name+" is not a folder") {
			t.Errorf("%s is a file: %v", name, err)
		}
	}
}

// TestDataFolderMayBeALink: only what is inside must be on one file system.
func TestDataFolderMayBeALink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	data, err := layout.OpenData(link)
	if err != nil {
		t.Fatal(err)
	}
	data.Close()
}
