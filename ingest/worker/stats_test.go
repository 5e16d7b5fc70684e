package worker

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

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/store"
)

// statsFolder is a data folder whose statistics a test writes.
type statsFolder struct {
	*layout.Data
	t    *testing.T
	want map[string]int64 // submissions by source
}

func newStatsFolder(t *testing.T) *statsFolder {
	t.Helper()
	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close() })
	if err := os.MkdirAll(filepath.Join(data.Dir(), StatsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	return &statsFolder{data, t, map[string]int64{}}
}

var statsNow = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)

// put writes statistics as a commit does, some days ago.
func (f *statsFolder) put(source string, submissions int64, daysAgo int, segments ...string) {
	f.t.Helper()
	b, err := json.Marshal(StatsDoc{Source: source, Submissions: submissions, Segments: segments})
	if err != nil {
		f.t.Fatal(err)
	}
	name := filepath.Join(f.Dir(), StatsDir, source+docEnding)
	at := statsNow.AddDate(0, 0, -daysAgo)
	if err := errors.Join(os.WriteFile(name+"~", b, 0o644), os.Chtimes(name+"~", at, at), os.Rename(name+"~", name)); err != nil {
		f.t.Fatal(err)
	}
	f.want[source] = submissions
}

// check compares what is read with what was put.
func (f *statsFolder) check(when string) {
	f.t.Helper()
	got := map[string]int64{}
	for doc, err := range ReadStats(f.Root().FS()) {
		if err != nil {
			f.t.Fatalf("%s: %v", when, err)
		}
		if _, twice := got[doc.Source]; twice {
			f.t.Errorf("%s: %s is told twice", when, doc.Source)
		}
		got[doc.Source] = doc.Submissions
	}
	if !maps.Equal(got, f.want) {
		f.t.Errorf("%s: read %v, want %v", when, got, f.want)
	}
}

func (f *statsFolder) merge() (int, error) {
	return MergeStats(f.t.Context(), f.Data, statsNow.Truncate(24*time.Hour))
}

// files lists what is in the folder of statistics.
func (f *statsFolder) files() string {
	var names []string
	fs.WalkDir(f.Root().FS(), StatsDir, func(name string, e fs.DirEntry, _ error) error {
		if !e.IsDir() {
			names = append(names, strings.TrimPrefix(name, StatsDir+"/"))
		}
		return nil
	})
	return strings.Join(names, " ")
}

func TestMergeStats(t *testing.T) {
	f := newStatsFolder(t)
	f.check("nothing")
	for i := range 5 {
		f.put(fmt.Sprintf("log%d", i), int64(10+i), i%3)
	}
	f.check("before")
	for i, want := range []int{3, 0} {
		if n, err := f.merge(); err != nil || n != want {
			t.Errorf("merged %d, %v", n, err)
		}
		f.check(fmt.Sprint("merged ", i))
		if got, want := f.files(), "20260201.jsonl.zst 20260202.jsonl.zst log0.json log3.json"; got != want {
			t.Errorf("files %q, want %q", got, want)
		}
	}
	// Converted again: the new statistics count, wherever the old ones are.
	f.put("log1", 100, 0)
	f.check("again")
	f.put("log1", 101, 1)
	f.put("log2", 102, 1)
	f.put("late", 1, 2)
	if n, err := f.merge(); err != nil || n != 3 {
		t.Errorf("merged %d, %v", n, err)
	}
	f.check("again, merged")
	if got, want := f.files(), "20260201.jsonl.zst 20260202.jsonl.zst log0.json log3.json"; got != want {
		t.Errorf("files %q, want %q", got, want)
	}
}

// TestMergeStatsOfSegments: what is needed to convert a raw log again is not merged.
func TestMergeStatsOfSegments(t *testing.T) {
	f := newStatsFolder(t)
	segment := layout.PublishedDir + "/a.zst"
	if err := f.Root().WriteFile(segment, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f.put("import.a", 1, 1, layout.InvalidDir+"/gone.zst", segment)
	f.put("import.b", 2, 1, layout.InvalidDir+"/gone.zst")
	for _, want := range []string{"20260202.jsonl.zst import.a.json", "20260202.jsonl.zst"} {
		if _, err := f.merge(); err != nil || f.files() != want {
			t.Errorf("files %q, want %q, %v", f.files(), want, err)
		}
		f.check("with segments")
		f.Root().Remove(segment)
	}
}

// TestMergeStatsCrash ends a merge at every change that it makes to the disk. What
// is read is the same then, and after the next try.
func TestMergeStatsCrash(t *testing.T) {
	crash := errors.New("crash")
	for at := 0; ; at++ {
		f := newStatsFolder(t)
		for i := range 3 {
			f.put(fmt.Sprintf("old%d", i), int64(i), 1+i%2)
		}
		if _, err := f.merge(); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			f.put(fmt.Sprintf("log%d", i), int64(i), 1+i%2)
		}
		f.put("old1", 7, 1)
		n := 0
		f.Folder().Hook = func(*os.Root, store.Op, string) error {
			if n++; n > at {
				return crash
			}
			return nil
		}
		_, err := f.merge()
		f.check(fmt.Sprintf("crash at %d", at))
		f.Folder().Hook = nil
		if err == nil {
			if at < 15 {
				t.Errorf("done after %d changes", at)
			}
			break
		}
		if !errors.Is(err, crash) {
			t.Fatal(err)
		}
		f.put("log0", 8, 1) // converted again meanwhile
		if _, err := f.merge(); err != nil {
			t.Errorf("after a crash at %d: %v", at, err)
		}
		f.check(fmt.Sprintf("after a crash at %d", at))
		if got, want := f.files(), "20260201.jsonl.zst 20260202.jsonl.zst"; got != want {
			t.Errorf("crash at %d: files %q, want %q", at, got, want)
		}
	}
}

// TestReadStatsBesideMerge reads while others merge and convert.
func TestReadStatsBesideMerge(t *testing.T) {
	f := newStatsFolder(t)
	for i := range 200 {
		f.put(fmt.Sprintf("log%d", i), int64(i), 1+i%7)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for day := 7; day >= 0; day-- {
			if _, err := MergeStats(t.Context(), f.Data, statsNow.AddDate(0, 0, 1-day).Truncate(24*time.Hour)); err != nil {
				t.Error(err)
			}
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
	wg.Wait()
}

func TestStatsDamaged(t *testing.T) {
	f := newStatsFolder(t)
	for _, name := range []string{"20260101" + dayStats, "log" + docEnding} {
		file := path.Join(f.Dir(), StatsDir, name)
		if err := os.WriteFile(file, []byte("no"), 0o644); err != nil {
			t.Fatal(err)
		}
		var last error
		for _, err := range ReadStats(f.Root().FS()) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), name) {
			t.Errorf("%s: %v", name, last)
		}
		os.Remove(file)
	}
}
