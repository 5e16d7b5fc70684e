package layout_test

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// TestKilledAtEveryChange dies before, and in the middle of, every change of the
// disk between the first record and the removal of the raw log, also while
// recovering from the first death; every time the records end up published
// exactly once, and at no time does a reader meet half a file.
func TestKilledAtEveryChange(t *testing.T) {
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprintf("id-%d", i))
	}
	want = append(want, "id-bad")
	slices.Sort(want)
	ids := func(d *layout.Data) (ids []string) {
		for _, l := range layouttest.ReadAll(t, d.Tree(), layouttest.Everything()) {
			id, _, _ := strings.Cut(l, "\t")
			ids = append(ids, id)
		}
		return ids
	}
	for n, completed := 0, false; !completed; n++ {
		dir := t.TempDir()
		d, err := layout.OpenData(dir)
		if err != nil {
			t.Fatal(err)
		}
		raw := filepath.Join(dir, layout.RawDir, layouttest.RawLog)
		if err := os.WriteFile(raw, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		k := &layouttest.Killer{Left: n, Torn: func(o backend.Op, name string) {
			if o == backend.OpAppend { // half of the bytes reach the disk
				f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
				if err == nil {
					f.WriteString("torn")
					f.Close()
				}
			}
		}}
		d.Folder().Hook = k.Hook
		if err = layouttest.Convert(t, d); err == nil {
			completed = true
		} else if !errors.Is(err, layouttest.ErrKilled) {
			t.Fatalf("kill %d: %v", n, err)
		}
		d.Close()
		step := 1
		if testing.Short() {
			step = 7
		}
		for m := 0; ; m += step { // the restarted process dies after m changes, and so on
			d, err := layout.OpenData(dir)
			if err != nil {
				t.Fatal(err)
			}
			if seen := ids(d); len(slices.Compact(seen)) != len(seen) {
				t.Fatalf("kill %d, %d: a reader sees %q", n, m, seen)
			}
			d.Folder().Hook = (&layouttest.Killer{Left: m}).Hook
			err = d.Recover(t.Context())
			if err == nil {
				if _, statErr := os.Stat(raw); statErr == nil {
					err = layouttest.Convert(t, d)
				}
			}
			if err == nil {
				if got := ids(d); !slices.Equal(got, want) {
					t.Fatalf("kill %d, %d: records %q, want %q", n, m, got, want)
				}
				for _, sub := range []string{layout.RawDir, layout.StagingDir} {
					if es, _ := os.ReadDir(filepath.Join(dir, sub)); len(es) > 0 {
						t.Errorf("kill %d, %d: %s holds %v", n, m, sub, es)
					}
				}
				d.Close()
				break
			}
			if !errors.Is(err, layouttest.ErrKilled) {
				t.Fatalf("kill %d, %d: %v", n, m, err)
			}
			d.Close()
		}
	}
}

// TestDurabilityOrder checks what a killed process cannot show: that content is
// synced before it is named, names before the commit, the commit before the
// first file is visible, and everything before the raw log goes.
func TestDurabilityOrder(t *testing.T) {
	d := layouttest.Open(t)
	if err := os.WriteFile(filepath.Join(d.Dir(), layout.RawDir, layouttest.RawLog), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	k := &layouttest.Killer{Left: 1 << 30}
	d.Folder().Hook = k.Hook
	if err := layouttest.Convert(t, d); err != nil {
		t.Fatal(err)
	}
	staging := path.Join(layout.StagingDir, strings.TrimSuffix(layouttest.RawLog, ".finished"))
	commitAt := slices.Index(k.Done, "rename "+staging+"/"+backend.CommitFile)
	rawAt := slices.Index(k.Done, "remove "+layout.RawDir+"/"+layouttest.RawLog)
	if commitAt < 0 || rawAt < commitAt {
		t.Fatalf("commit is change %d, removing the raw log %d of:\n%s", commitAt, rawAt, strings.Join(k.Done, "\n"))
	}
	between := func(from, to int, change string) {
		t.Helper()
		if i := slices.Index(k.Done[max(from, 0):to], change); i < 0 {
			t.Errorf("no %q between changes %d and %d of:\n%s", change, from, to, strings.Join(k.Done, "\n"))
		}
	}
	last := map[string]int{} // the last append to each file
	for i, c := range k.Done {
		if name, ok := strings.CutPrefix(c, "append "); ok {
			last[name] = i
		}
	}
	for name, i := range last {
		between(i, commitAt, "sync "+name)
	}
	between(last[staging+"/"+backend.CommitFile+".tmp"], commitAt, "syncdir "+staging)
	between(0, commitAt, "syncdir "+layout.StagingDir)
	visible := 0
	for i, c := range k.Done {
		final, ok := strings.CutPrefix(c, "rename ")
		if !ok || i == commitAt {
			continue
		}
		visible++
		between(commitAt, i, "syncdir "+staging)
		for dir := path.Dir(final); dir != "."; dir = path.Dir(dir) {
			if dir != layout.PublishedDir && dir != layout.QuarantineDir { // made by layout.OpenData
				between(i, rawAt, "syncdir "+dir)
			}
		}
	}
	if visible != 4 {
		t.Errorf("%d files became visible, want 4", visible)
	}
	between(rawAt, len(k.Done), "syncdir "+layout.RawDir)
}
