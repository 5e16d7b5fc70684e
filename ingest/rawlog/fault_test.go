package rawlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// faultDisk is the real disk whose n-th step fails: a write in the middle (or, with
// late, when all is written and only the sync is left), the others without effect.
// It notes the steps.
type faultDisk struct {
	rootDisk
	mu    sync.Mutex
	left  int // steps until the failure; negative: it has happened
	err   error
	stuck bool // every step from then on fails
	late  bool
	what  string
	steps []string
}

func (d *faultDisk) step(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = append(d.steps, what)
	if d.left--; d.left == 0 || d.stuck && d.left < 0 {
		d.what = what
		return fmt.Errorf("injected at %s: %w", what, d.err)
	}
	return nil
}

func (d *faultDisk) create(name string) (diskFile, error) {
	if err := d.step("create"); err != nil {
		return nil, err
	}
	f, err := d.rootDisk.create(name)
	return &faultFile{f, d}, err
}

func (d *faultDisk) rename(from, to string) error {
	if err := d.step("rename"); err != nil {
		return err
	}
	return d.rootDisk.rename(from, to)
}

func (d *faultDisk) sync() error {
	if err := d.step("sync directory"); err != nil {
		return err
	}
	return d.rootDisk.sync()
}

type faultFile struct {
	diskFile
	d *faultDisk
}

func (f *faultFile) append(b []byte, off int64) error {
	if err := f.d.step("append"); err != nil {
		if !f.d.late {
			b = b[:len(b)/2]
		}
		f.diskFile.writeAt(b, off)
		return err
	}
	return f.diskFile.append(b, off)
}

func (f *faultFile) writeAt(b []byte, off int64) error {
	if err := f.d.step("write"); err != nil {
		f.diskFile.writeAt(b[:len(b)/2], off)
		return err
	}
	return f.diskFile.writeAt(b, off)
}

func (f *faultFile) sync() error {
	if err := f.d.step("sync"); err != nil {
		return err
	}
	return f.diskFile.sync()
}

func (f *faultFile) truncate(size int64) error {
	if err := f.d.step("truncate"); err != nil {
		return err
	}
	return f.diskFile.truncate(size)
}

// appendTo appends twelve submissions to a log whose files hold a few each, closes
// it, and returns those that were acknowledged, as readAll does, and what is in
// the files. Errors must be d's.
func appendTo(t *testing.T, d *faultDisk) (acked []string, logs map[string][]string, dir string) {
	t.Helper()
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}

	defer root.Close()
	d.rootDisk = rootDisk{root}
	o := DefaultOptions()
	o.MaxBytes = 200
	l, err := openLog(d, o)
	if err != nil {
		t.Fatal(err)
	}

	for i := range 12 {
		s := Submission{Path: fmt.Sprintf("id%02d", i), Body: []byte("0123456789"), Time: time.Now()}
		if err := l.Append(t.Context(), s); err == nil {
			acked = append(acked, s.Path+"=0123456789")
		} else if !errors.Is(err, d.err) {
			t.Fatalf("Append: %v", err)
		}
	}

	l.Close()
	return acked, readTorn(t, dir), dir
}

// TestLogSurvivesEachFault lets each step of a log's life fail in turn. Whatever
// was acknowledged is there exactly once; what was not may be there, but only
// when the step that failed came after it was written.
func TestLogSurvivesEachFault(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("late ", late), func(t *testing.T) { survivesEachFault(t, late) })
	}
}

func survivesEachFault(t *testing.T, late bool) {
	seen := map[string]bool{}
	for n := 1; ; n++ {
		d := &faultDisk{left: n, err: syscall.EIO, late: late}
		acked, logs, dir := appendTo(t, d)
		if d.left > 0 {
			break
		}

		seen[d.what] = true
		if len(acked) < 11 {
			t.Errorf("step %d (%s): only %d of 12 acknowledged after one fault", n, d.what, len(acked))
		}
		if got := all(logs); !slices.Equal(got, acked) {
			t.Errorf("step %d (%s): stored %q\nacknowledged %q", n, d.what, got, acked)
		}
		if hidden, _ := filepath.Glob(filepath.Join(dir, ".*")); len(hidden) > 0 {
			t.Errorf("step %d (%s): left %q", n, d.what, hidden)
		}
	}

	for _, what := range []string{"create", "append", "write", "sync", "rename", "sync directory", "truncate"} {
		if !seen[what] {
			t.Errorf("no fault was injected at %s", what)
		}
	}
}

// TestLogOfADiskThatDies checks that a disk on which everything fails from some
// step on costs nothing that was acknowledged, and that files do not pile up.
func TestLogOfADiskThatDies(t *testing.T) {
	for n := 1; n < 40; n++ {
		acked, logs, _ := appendTo(t, &faultDisk{left: n, err: syscall.ENOSPC, stuck: true})
		got := all(logs)
		for _, s := range acked {
			if !slices.Contains(got, s) {
				t.Errorf("step %d: acknowledged %s is lost; stored %q", n, s, got)
			}
		}
		if len(logs) > 4 {
			t.Errorf("step %d: %d files", n, len(logs))
		}
	}
}

// readTorn is readLogs for a folder where damage is expected.
func readTorn(t *testing.T, dir string) map[string][]string {
	t.Helper()
	got := map[string][]string{}
	names, _ := filepath.Glob(filepath.Join(dir, "telemetry*"))
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		got[strings.TrimPrefix(name, dir)] = readAll(t, NewReader(f, Version))
		f.Close()
	}

	return got
}
