package rawlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// openIn returns a Log in a folder, which the test closes.
func openIn(t *testing.T, dir string, attached func() error) *Log {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })

	o := DefaultOptions()
	o.Reserve = 0
	o.Attached = attached
	l, err := Open(root, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// appendID appends a submission.
func appendID(l *Log, id string) error {
	return l.Append(context.Background(), Submission{Path: id, Body: []byte("{}"), Time: time.UnixMilli(1)})
}

// countIDs counts, by ID, what the raw logs of a folder hold.
func countIDs(t *testing.T, dir string) map[string]int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, Prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}

	counts := map[string]int{}
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		entries := NewReader(file, Version)
		for s, err := entries.Next(); err == nil; s, err = entries.Next() {
			counts[s.Path]++
		}
		file.Close()
		if entries.BytesLost() > 0 {
			t.Errorf("%s: %d bytes lost", name, entries.BytesLost())
		}
	}
	return counts
}

// TestRemovedUnderTheServer moves, removes and replaces the raw log while it is written.
// It is noticed, what was acknowledged before is written again, and what is acknowledged
// later is in a fresh file.
func TestRemovedUnderTheServer(t *testing.T) {
	for what, remove := range map[string]func(name string) error{
		"removed":    os.Remove,
		"moved away": func(name string) error { return os.Rename(name, filepath.Join(t.TempDir(), "away")) },
		"replaced":   func(name string) error { return os.WriteFile(name+"x", nil, 0o666) },
		"linked once": func(name string) error {
			return errors.Join(os.Link(name, filepath.Join(t.TempDir(), "link")), os.Remove(name))
		},
	} {
		dir := t.TempDir()
		l := openIn(t, dir, nil)
		if err := appendID(l, "before"); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, Prefix+l.o.Host+"."+strconv.Itoa(os.Getpid())+"."+strconv.FormatInt(l.lastName, 10))
		err := remove(name)
		if what == "replaced" {
			err = errors.Join(err, os.Rename(name+"x", name))
		}
		if err != nil {
			t.Fatal(err)
		}

		// Until it is noticed, each is refused, or acknowledged and found in the end.
		acknowledged := []string{"before"}
		finished := func() bool { _, err := os.Stat(name + FinishedSuffix); return err == nil }
		for n := 0; !finished(); n++ {
			id := "later" + strconv.Itoa(n)
			if err := appendID(l, id); err == nil {
				acknowledged = append(acknowledged, id)
			} else if !errors.Is(err, ErrRemoved) {
				t.Fatalf("%s: %v", what, err)
			}
			time.Sleep(time.Millisecond)
		}
		if err := appendID(l, "last"); err != nil {
			t.Errorf("%s: the next one: %v", what, err)
		}
		acknowledged = append(acknowledged, "last")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}

		os.Remove(name) // what took its place
		counts := countIDs(t, dir)
		for _, id := range acknowledged {
			if counts[id] != 1 {
				t.Errorf("%s: %s was acknowledged, and is there %d times", what, id, counts[id])
			}
		}
	}
}

// TestNamesAreExclusive: names of raw logs that are taken, by another server that thinks
// to be the same process at the same time, stay as they are.
func TestNamesAreExclusive(t *testing.T) {
	dir := t.TempDir()
	l := openIn(t, dir, nil)
	l.lastName = 9_000_000_000_000 // after the clock's time, so that the next names are known

	prefix := filepath.Join(dir, Prefix+l.o.Host+"."+strconv.Itoa(os.Getpid())+".")
	taken := []string{
		prefix + "9000000000001",
		prefix + "9000000000002" + FinishedSuffix,
		filepath.Join(dir, newPrefix+filepath.Base(prefix)+"9000000000003"),
	}
	for _, name := range taken {
		if err := os.WriteFile(name, []byte("another server's"), 0o666); err != nil {
			t.Fatal(err)
		}
	}

	if err := appendID(l, "mine"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range taken {
		if text, err := os.ReadFile(name); err != nil || string(text) != "another server's" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if _, err := os.Stat(prefix + "9000000000004" + FinishedSuffix); err != nil {
		t.Error(err)
	}
}

// TestDetachedFolder: while the folder is not the one that is converted, nothing is
// acknowledged.
func TestDetachedFolder(t *testing.T) {
	var moved atomic.Bool
	errMoved := errors.New("moved")
	l := openIn(t, t.TempDir(), func() error {
		if moved.Load() {
			return errMoved
		}
		return nil
	})
	defer l.Close()

	for _, want := range []error{nil, errMoved, nil} {
		moved.Store(want != nil)
		deadline := time.Now().Add(time.Minute)
		for err := appendID(l, "id"); !errors.Is(err, want); err = appendID(l, "id") {
			if time.Now().After(deadline) {
				t.Fatalf("%v, want %v", err, want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}
