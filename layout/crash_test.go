package layout

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var errKilled = errors.New("killed")

// killer is a disk hook that lets n changes pass and then fails every one, as
// if the process had died there. It records the changes.
type killer struct {
	mu   sync.Mutex
	left int
	torn func(o op, name string) // called once, for the change that is cut short
	done []string
}

func (k *killer) hook(o op, name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left == 0 && k.torn != nil {
		k.torn(o, name)
		k.torn = nil
	}
	if k.left <= 0 {
		return errKilled
	}
	k.left--
	k.done = append(k.done, string(o)+" "+name)
	return nil
}

const crashSource = "telemetry.log.v3.h.1.1380000000000.finished"

// convert publishes ten records in three partitions, and quarantines one.
func convert(t *testing.T, d *Data) error {
	w, err := d.NewWriter(crashSource, WriterOptions{MemoryBytes: 1})
	if err != nil {
		return err
	}
	for i := range 10 {
		p := testDims
		p[Channel] = fmt.Sprintf("c%d", i%3)
		if err := w.Add(p, fmt.Appendf(nil, "id-%d", i), []byte(`{"a":1}`)); err != nil {
			w.Abort()
			return err
		}
	}
	if err := w.AddInvalid(Invalid{Class: "bad", Path: "id-bad", Body: []byte("x")}); err != nil {
		w.Abort()
		return err
	}
	_, err = w.Commit(t.Context())
	return err
}

func everything() Filter {
	f := All()
	f.IncludeInvalid = true
	return f
}

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
	ids := func(d *Data) (ids []string) {
		for _, l := range readAll(t, d.Tree(), everything()) {
			id, _, _ := strings.Cut(l, "\t")
			ids = append(ids, id)
		}
		return ids
	}
	for n, completed := 0, false; !completed; n++ {
		dir := t.TempDir()
		d, err := OpenData(dir)
		if err != nil {
			t.Fatal(err)
		}
		raw := filepath.Join(dir, RawDir, crashSource)
		if err := os.WriteFile(raw, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		k := &killer{left: n, torn: func(o op, name string) {
			if o == opAppend { // half of the bytes reach the disk
				f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
				if err == nil {
					f.WriteString("torn")
					f.Close()
				}
			}
		}}
		d.disk.hook = k.hook
		if err = convert(t, d); err == nil {
			completed = true
		} else if !errors.Is(err, errKilled) {
			t.Fatalf("kill %d: %v", n, err)
		}
		d.Close()
		step := 1
		if testing.Short() {
			step = 7
		}
		for m := 0; ; m += step { // the restarted process dies after m changes, and so on
			d, err := OpenData(dir)
			if err != nil {
				t.Fatal(err)
			}
			if seen := ids(d); len(slices.Compact(seen)) != len(seen) {
				t.Fatalf("kill %d, %d: a reader sees %q", n, m, seen)
			}
			d.disk.hook = (&killer{left: m}).hook
			err = d.Recover(t.Context())
			if err == nil {
				if _, statErr := os.Stat(raw); statErr == nil {
					err = convert(t, d)
				}
			}
			if err == nil {
				if got := ids(d); !slices.Equal(got, want) {
					t.Fatalf("kill %d, %d: records %q, want %q", n, m, got, want)
				}
				for _, sub := range []string{RawDir, StagingDir} {
					if es, _ := os.ReadDir(filepath.Join(dir, sub)); len(es) > 0 {
						t.Errorf("kill %d, %d: %s holds %v", n, m, sub, es)
					}
				}
				d.Close()
				break
			}
			if !errors.Is(err, errKilled) {
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
	d := openData(t)
	if err := os.WriteFile(filepath.Join(d.Dir(), RawDir, crashSource), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	k := &killer{left: 1 << 30}
	d.disk.hook = k.hook
	if err := convert(t, d); err != nil {
		t.Fatal(err)
	}
	staging := path.Join(StagingDir, crashSource)
	commitAt := slices.Index(k.done, "rename "+staging+"/"+commitFile)
	rawAt := slices.Index(k.done, "remove "+RawDir+"/"+crashSource)
	if commitAt < 0 || rawAt < commitAt {
		t.Fatalf("commit is change %d, removing the raw log %d of:\n%s", commitAt, rawAt, strings.Join(k.done, "\n"))
	}
	between := func(from, to int, change string) {
		t.Helper()
		if i := slices.Index(k.done[max(from, 0):to], change); i < 0 {
			t.Errorf("no %q between changes %d and %d of:\n%s", change, from, to, strings.Join(k.done, "\n"))
		}
	}
	last := map[string]int{} // the last append to each file
	for i, c := range k.done {
		if name, ok := strings.CutPrefix(c, "append "); ok {
			last[name] = i
		}
	}
	for name, i := range last {
		between(i, commitAt, "sync "+name)
	}
	between(last[staging+"/"+commitFile+".tmp"], commitAt, "syncdir "+staging)
	between(0, commitAt, "syncdir "+StagingDir)
	visible := 0
	for i, c := range k.done {
		final, ok := strings.CutPrefix(c, "rename ")
		if !ok || i == commitAt {
			continue
		}
		visible++
		between(commitAt, i, "syncdir "+staging)
		for dir := path.Dir(final); dir != "."; dir = path.Dir(dir) {
			if dir != PublishedDir && dir != InvalidDir { // made by OpenData
				between(i, rawAt, "syncdir "+dir)
			}
		}
	}
	if visible != 4 {
		t.Errorf("%d files became visible, want 4", visible)
	}
	between(rawAt, len(k.done), "syncdir "+RawDir)
}
