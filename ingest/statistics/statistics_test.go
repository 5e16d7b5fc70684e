package statistics

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
)

// folder is a data folder whose statistics a test writes.
type folder struct {
	*layout.Data
	t    *testing.T
	want map[string]int64 // submissions by source
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close() })
	if err := os.MkdirAll(filepath.Join(data.Dir(), Dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return &folder{data, t, map[string]int64{}}
}

// commit writes statistics as a commit does.
func (f *folder) commit(source string, submissions int64) {
	f.t.Helper()
	text, err := json.Marshal(RawLog{Source: source, Submissions: submissions})
	if err != nil {
		f.t.Fatal(err)
	}
	name := filepath.Join(f.Dir(), Dir, source+fileSuffix)
	if err := errors.Join(os.WriteFile(name+"~", text, 0o644), os.Rename(name+"~", name)); err != nil {
		f.t.Fatal(err)
	}
	f.want[source] = submissions
}

// writeDay writes the file of a day as the version before did, with one line for each
// source.
func (f *folder) writeDay(day string, submissions int64, sources ...string) {
	f.t.Helper()
	var lines []byte
	for _, source := range sources {
		text, err := json.Marshal(RawLog{Source: source, Submissions: submissions})
		if err != nil {
			f.t.Fatal(err)
		}
		lines = append(append(lines, text...), '\n')
		f.want[source] = submissions
	}

	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	defer encoder.Close()
	name := filepath.Join(f.Dir(), Dir, day+daySuffix)
	if err := os.WriteFile(name, encoder.EncodeAll(lines, nil), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// check compares what is read with what was committed.
func (f *folder) check(when string) {
	f.t.Helper()
	got := map[string]int64{}
	for r, err := range All(f.Root(), f.Log()) {
		if err != nil {
			f.t.Fatalf("%s: %v", when, err)
		}
		if _, twice := got[r.Source]; twice {
			f.t.Errorf("%s: %s comes twice", when, r.Source)
		}
		got[r.Source] = r.Submissions
	}
	if !maps.Equal(got, f.want) {
		f.t.Errorf("%s: read %v, want %v", when, got, f.want)
	}
}

// checkFound checks Find for every source.
func (f *folder) checkFound(when string) {
	f.t.Helper()
	for source, want := range f.want {
		got, err := Find(f.Root(), source, f.Log())
		if err != nil || got.Submissions != want {
			f.t.Errorf("%s: %s has %d submissions, want %d; %v", when, source, got.Submissions, want, err)
		}
	}
	if got, err := Find(f.Root(), "unknown", f.Log()); err != nil || got.Source != "" {
		f.t.Errorf("%s: found %+v, %v", when, got, err)
	}
}

func (f *folder) merge() (int, error) { return Merge(f.t.Context(), f.Data) }

// files lists what is in the folder of statistics.
func (f *folder) files() string {
	var names []string
	fs.WalkDir(f.Root().FS(), Dir, func(name string, entry fs.DirEntry, _ error) error {
		if !entry.IsDir() {
			names = append(names, strings.TrimPrefix(name, Dir+"/"))
		}
		return nil
	})
	return strings.Join(names, " ")
}

const databaseName = "statistics.bolt"

func TestMerge(t *testing.T) {
	f := newFolder(t)
	f.check("nothing")
	for i := range 5 {
		f.commit(fmt.Sprintf("log%d", i), int64(10+i))
	}
	f.check("before")
	f.checkFound("before")
	for i, want := range []int{5, 0} {
		n, err := f.merge()
		if err != nil || n != want {
			t.Errorf("merged %d, %v", n, err)
		}
		f.check(fmt.Sprint("merged ", i))
		f.checkFound(fmt.Sprint("merged ", i))
		if got := f.files(); got != databaseName {
			t.Errorf("files %q", got)
		}
	}

	// Converted again: the new statistics count, wherever the old ones are.
	f.commit("log1", 100)
	f.commit("late", 1)
	f.check("again")
	f.checkFound("again")
	n, err := f.merge()
	if err != nil || n != 2 {
		t.Errorf("merged %d, %v", n, err)
	}
	f.check("again, merged")
	f.checkFound("again, merged")
}

// TestMergeOfDays moves the files of the version before: the newest day counts, and
// what was converted since counts more.
func TestMergeOfDays(t *testing.T) {
	f := newFolder(t)
	f.writeDay("20260201", 1, "a", "b", "c")
	f.writeDay("20260203", 3, "b", "c")
	f.commit("c", 4)
	f.check("days")
	if n, err := f.merge(); err != nil || n != 1 {
		t.Errorf("merged %d, %v", n, err)
	}
	f.check("merged")
	f.checkFound("merged")
	if got := f.files(); got != databaseName {
		t.Errorf("files %q", got)
	}
}

// TestMergeCrash ends a merge at every change that it makes to the folder. What is read
// is the same then, and after the next try.
func TestMergeCrash(t *testing.T) {
	crash := errors.New("crash")
	for at := 0; ; at++ {
		f := newFolder(t)
		for i := range 3 {
			f.commit(fmt.Sprintf("old%d", i), int64(i))
		}
		if _, err := f.merge(); err != nil {
			t.Fatal(err)
		}
		f.writeDay("20260201", 10, "day0", "day1")
		f.writeDay("20260202", 11, "day1", "log1")
		for i := range 3 {
			f.commit(fmt.Sprintf("log%d", i), int64(i))
		}
		f.commit("old1", 7)

		changes := 0
		f.Folder().Hook = func(*os.Root, backend.Op, string) error {
			changes++
			if changes > at {
				return crash
			}
			return nil
		}
		_, err := f.merge()
		f.Folder().Hook = nil
		when := fmt.Sprintf("crash at %d", at)
		f.check(when)
		f.checkFiles(when)
		if err == nil {
			if at < 12 {
				t.Errorf("done after %d changes", at)
			}
			break
		}
		if !errors.Is(err, crash) {
			t.Fatal(err)
		}

		f.commit("log0", 8) // converted again meanwhile
		if _, err := f.merge(); err != nil {
			t.Errorf("after a %s: %v", when, err)
		}
		f.check("after a " + when)
		f.checkFound("after a " + when)
		if got := f.files(); got != databaseName {
			t.Errorf("%s: files %q", when, got)
		}
	}
}

// checkFiles checks that no file of statistics is a torn one.
func (f *folder) checkFiles(when string) {
	f.t.Helper()
	for _, r := range []string{Dir, mergingDir} {
		names, err := filesIn(f.Root(), r, fileSuffix)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, name := range names {
			if text, err := f.Root().ReadFile(name); err != nil || !json.Valid(text) {
				f.t.Errorf("%s: %s: %s, %v", when, name, text, err)
			}
		}
	}
}

// TestAllBesideMerge reads while another goroutine commits and merges.
func TestAllBesideMerge(t *testing.T) {
	f := newFolder(t)
	for day := range 7 {
		f.writeDay(fmt.Sprintf("2026020%d", day), int64(day), fmt.Sprintf("day%d", day), "each day")
	}
	for i := range 200 {
		f.commit(fmt.Sprintf("log%d", i), int64(i))
	}

	done := make(chan struct{})
	var merges sync.WaitGroup
	merges.Go(func() {
		defer close(done)
		for range 5 {
			if _, err := Merge(t.Context(), f.Data); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Millisecond)
		}
	})
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		f.check("meanwhile")
	}
	merges.Wait()
}

// TestDamage reads, finds and merges beside files that are not what they should be: each
// is set aside, and the others count.
func TestDamage(t *testing.T) {
	for _, name := range []string{"20260101" + daySuffix, "log" + fileSuffix, databaseName} {
		for _, first := range []string{"read", "find", "merge"} {
			f := newFolder(t)
			f.commit("whole", 7)
			file := path.Join(f.Dir(), Dir, name)
			if err := os.WriteFile(file, []byte("no"), 0o644); err != nil {
				t.Fatal(err)
			}

			switch first {
			case "find":
				if found, err := Find(f.Root(), "log", f.Log()); err != nil || found.Source != "" {
					t.Errorf("%s: found %+v, %v", name, found, err)
				}
			case "merge":
				if _, err := f.merge(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			f.check(name + ", first " + first)

			// Merge moves the file of a raw log before it reads it.
			aside, _ := filepath.Glob(file + ".damaged-*")
			merged, _ := filepath.Glob(filepath.Join(f.Dir(), mergingDir, name) + ".damaged-*")
			if len(aside)+len(merged) != 1 {
				t.Errorf("%s, first %s: set aside %v %v, want one file", name, first, aside, merged)
			}
		}
	}
}

// TestKilledWhileMade reads and merges beside the empty database of a process that was
// killed while it made it.
func TestKilledWhileMade(t *testing.T) {
	f := newFolder(t)
	f.commit("log", 1)
	if err := f.Root().WriteFile(databaseFile, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f.check("empty database")
	if _, err := f.merge(); err != nil {
		t.Error(err)
	}
	f.check("merged")
}

// TestEarlyEnd ends a walk after the first of several.
func TestEarlyEnd(t *testing.T) {
	f := newFolder(t)
	f.commit("a", 1)
	f.commit("b", 1)
	if _, err := f.merge(); err != nil {
		t.Fatal(err)
	}
	f.commit("c", 1)
	f.commit("d", 1)
	for wanted := range 5 {
		n := 0
		for _, err := range All(f.Root(), f.Log()) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if n >= wanted {
				break
			}
		}
		if n != max(1, min(wanted, 4)) {
			t.Errorf("%d of %d", n, wanted)
		}
	}
}
