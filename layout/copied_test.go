package layout_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// copies are copies of the folders of one data folder, made at each of its changes.
type copies []string

// copiesOf publishes a raw log, and with compaction, into "rows" or "columns", merges what
// that gave with what is there already, and copies the data folder before each change and at the end.
func copiesOf(t *testing.T, compaction string) (all copies) {
	d := layouttest.Open(t)
	raw := filepath.Join(d.Dir(), layout.RawDir, layouttest.RawLog)
	if err := os.WriteFile(raw, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}

	// Several files are synced at the same time.
	var mu sync.Mutex
	copyAll := func() {
		mu.Lock()
		defer mu.Unlock()
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(d.Dir())); err != nil {
			t.Error(err)
		}
		all = append(all, dir)
	}
	if compaction != "" {
		layouttest.Publish(t, d, "log.1", 1, layouttest.Channel("c0"), layouttest.Channel("c1"))
	}
	d.Folder().Hook = func(*os.Root, backend.Op, string) error {
		copyAll()
		return nil
	}

	if err := layouttest.Convert(t, d); err != nil {
		t.Fatal(err)
	}
	if compaction != "" {
		options := upkeep.CompactOptions{Filter: layouttest.Everything(), Columns: compaction == "columns"}
		if _, err := upkeep.In(d).Compact(t.Context(), options); err != nil {
			t.Fatal(err)
		}
	}
	d.Folder().Hook = nil
	copyAll()
	return all
}

// mix makes a data folder of raw/, published/ with invalid/, and state/ as they were at
// different times.
func (c copies) mix(t *testing.T, raw, published, state int) string {
	dir := t.TempDir()
	for name, at := range map[string]int{
		layout.RawDir: raw, layout.PublishedDir: published, layout.QuarantineDir: published, layout.StateDir: state,
	} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(c[at], name))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// converted finishes what is in the data folder and returns the IDs of its records.
func converted(t *testing.T, dir string) (ids []string, err error) {
	d, err := layout.OpenData(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	if err := d.Recover(t.Context()); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, layout.RawDir, layouttest.RawLog)); err == nil {
		if err := layouttest.Convert(t, d); err != nil {
			return nil, err
		}
	}

	lock, err := d.Lock() // which finishes a compaction
	if err != nil {
		return nil, err
	}
	lock.Close()
	for _, line := range layouttest.ReadAll(t, d.Tree(), layouttest.Everything()) {
		id, _, _ := strings.Cut(line, "\t")
		ids = append(ids, id)
	}
	if _, found, err := upkeep.In(d).Check(t.Context(), false); err != nil || len(found) > 0 {
		t.Errorf("check: %v, %v", found, err)
	}
	return ids, nil
}

// TestCopiesOfDifferentTimes: a backup is made beside a publication, and a compaction,
// folder by folder, and restored. If raw/ was copied first, every record is there once,
// whenever the other two were copied. Else, what is not there is an error that names
// it, or was never there; nothing is doubled in any case.
func TestCopiesOfDifferentTimes(t *testing.T) {
	for _, compaction := range []string{"", "rows", "columns"} {
		all := copiesOf(t, compaction)
		want, err := converted(t, all.mix(t, 0, 0, 0))
		if err != nil || len(want) < 11 {
			t.Fatalf("records %q, %v", want, err)
		}

		mixes := 150
		if testing.Short() {
			mixes = 30
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range mixes {
			raw, published, state := random.IntN(len(all)), random.IntN(len(all)), random.IntN(len(all))
			dir := all.mix(t, raw, published, state)
			name := fmt.Sprintf("compaction %q, raw/ of %d, published/ of %d, state/ of %d of %d", compaction, raw, published, state, len(all))
			before := files(t, dir)
			got, err := converted(t, dir)

			if raw <= min(published, state) {
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: %d records, want %d: %v", name, len(got), len(want), err)
				}
				continue
			}
			if err == nil && len(slices.Compact(slices.Clone(got))) != len(got) {
				t.Errorf("%s: records %q", name, got)
			}
			if corrupt, ok := errors.AsType[*layout.CorruptError](err); err != nil && (!ok || !strings.Contains(corrupt.Error(), "neither")) {
				t.Errorf("%s: %v", name, err)
			}
			if after := files(t, dir); err != nil && !slices.Equal(after, before) {
				t.Errorf("%s: an error, but the files changed from %q to %q", name, before, after)
			}
			os.RemoveAll(dir)
		}
	}
}

// files lists the files of a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, strings.TrimPrefix(name, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
