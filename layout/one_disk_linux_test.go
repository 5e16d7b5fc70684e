package layout_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
)

// TestOtherMountsAreRefused mounts another folder in the place of one; even of the same
// file system, files cannot be renamed to there. It needs the right to mount.
func TestOtherMountsAreRefused(t *testing.T) {
	for _, name := range []string{layout.RawDir, layout.PublishedDir, layout.QuarantineDir} {
		dir := t.TempDir()
		target := filepath.Join(dir, name)
		if err := os.Mkdir(target, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(t.TempDir(), target, "", syscall.MS_BIND, ""); err != nil {
			t.Skipf("mount: %v", err)
		}
		defer syscall.Unmount(target, 0)

		if _, err := layout.OpenData(dir); err == nil || !strings.Contains(err.Error(), name+" and state/staging are on different file systems") {
			t.Errorf("%s is another mount: %v", name, err)
		}
	}
}
