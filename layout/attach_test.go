package layout_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
)

func TestAttachAndSupersede(t *testing.T) {
	d, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Root().WriteFile("raw/old", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	publish := func(commit bool) {
		t.Helper()
		w, err := d.NewWriter("source", layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		a := w.Attach("raw/waiting")
		for range 3 {
			if _, err := a.Write(make([]byte, 200<<10)); err != nil {
				t.Fatal(err)
			}
		}
		w.Supersede("raw/old")
		if !commit {
			if err := w.Abort(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	publish(false)
	if _, err := d.Root().Stat("raw/waiting"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Abort: %v", err)
	}
	if _, err := d.Root().Stat("raw/old"); err != nil {
		t.Errorf("after Abort: %v", err)
	}
	publish(true)
	if fi, err := d.Root().Stat("raw/waiting"); err != nil || fi.Size() != 600<<10 {
		t.Errorf("after Commit: %v, %v", fi, err)
	}
	if _, err := d.Root().Stat("raw/old"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("superseded: %v", err)
	}
}
