package reload

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRealEditors has programs of this machine change a.txt from "old" to "new
// text here".
func TestRealEditors(t *testing.T) {
	vim := func(set string) []string {
		return []string{"vim", "-u", "NONE", "-i", "NONE", "-es", "-c", set, "-c", "%s/old/new text here/", "-c", "wq", "a.txt"}
	}

	for _, e := range []struct {
		name string
		args []string
	}{
		{"vim, backup renamed", vim("set swapfile backup writebackup backupcopy=no")},
		{"vim, backup copied", vim("set swapfile backup writebackup backupcopy=yes")},
		{"vim, no backup", vim("set nobackup nowritebackup")},
		{"sed -i", []string{"sed", "-i", "s/old/new text here/", "a.txt"}},
		{"sed -i with backup", []string{"sed", "-i.bak", "s/old/new text here/", "a.txt"}},
		{"cp", []string{"cp", "../new", "a.txt"}},
		{"mv", []string{"mv", "../new", "a.txt"}},
		{"install", []string{"install", "-m", "600", "../new", "a.txt"}},
		{"shell, appending", []string{"sh", "-c", "printf new >a.txt; printf ' text' >>a.txt; printf ' here\n' >>a.txt"}},
		{"ln -sfn", []string{"ln", "-sfn", "../new", "a.txt"}},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(e.args[0]); err != nil && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			base := t.TempDir()
			dir := filepath.Join(base, "filters")
			os.Mkdir(dir, 0o755)
			put(t, filepath.Join(dir, "a.txt"), "old\n")
			put(t, filepath.Join(base, "new"), "new text here\n")
			f := openWords(t, dir)
			run(t, f)
			c := exec.CommandContext(t.Context(), e.args[0], e.args[1:]...)
			c.Dir = dir
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			await(t, func() bool {
				got := value(f)
				if got == "" {
					t.Fatal("nothing is in use")
				}
				return got == "new text here"
			})
			if all := f.All(); len(all) != 1 || all[0].Err != nil {
				t.Errorf("known: %+v", all)
			}
		})
	}
}
