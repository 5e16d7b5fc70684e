package backup_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backup"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// whole is Options.Whole of raw logs that are whole.
func whole(_ string, content io.Reader) (int64, error) { return io.Copy(io.Discard, content) }

func open(t *testing.T, name string) *backup.Repository {
	t.Helper()
	r, err := backup.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// filled returns a data folder with a file of each kind.
func filled(t *testing.T) *layout.Data {
	d := layouttest.Open(t)
	d.DropRepeats(3)
	layouttest.Publish(t, d, "telemetry.log.v4.h.1.1380000000001", 3, layouttest.Channel("a"), layouttest.Channel("b"))
	if err := layouttest.Convert(t, d); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		layout.RawDir + "/telemetry.log.v4.h.1.1380000000002.finished":            "raw",
		layout.RawDir + "/telemetry.log.v4.h.1.1380000000003":                     "raw, being written",
		layout.RawDir + "/.spare.telemetry.log.v4.h.1.1380000000004":              "spare",
		layout.DamagedDir + "/raw/telemetry.log.v4.h.1.1380000000005":             "damaged",
		layout.RevisionCacheDir + "/mozilla-central/0123456789ab/Histograms.json": "{}",
		layout.StatisticsDir + "/source.json":                                     "{}",
		layout.MapResultsDir + "/result":                                          "made again when it is needed",
		layout.SchemaFile:                                                         `{"version":1,"dimensions":[]}`,
	} {
		name = filepath.Join(d.Dir(), name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// contents returns the files below a folder, but for those that a backup leaves out, and
// databases, whose copies differ.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		rel := strings.TrimPrefix(name, dir+"/")
		if !strings.HasSuffix(name, ".bolt") && !strings.HasPrefix(rel, layout.MapResultsDir) && !strings.HasPrefix(rel, layout.RawDir+"/.") {
			all[rel] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// save makes a snapshot.
func save(t *testing.T, r *backup.Repository, d *layout.Data) (backup.Done, *backup.Snapshot) {
	t.Helper()
	done, err := r.Backup(t.Context(), d, backup.Options{Whole: whole})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := r.Load(t.Context(), done.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return done, snapshot
}

func TestRestoredIsAsItWas(t *testing.T) {
	for _, to := range []string{filepath.Join(t.TempDir(), "a folder"), "mem://backup"} {
		d := filled(t)
		r := open(t, to)
		first, snapshot := save(t, r, d)
		if first.Copied == 0 || first.Files != len(snapshot.Files) {
			t.Errorf("%s: %+v", to, first)
		}
		if damaged, err := r.Verify(t.Context(), snapshot); err != nil || len(damaged) > 0 {
			t.Errorf("%s: verify: %v, %v", to, damaged, err)
		}

		dir := filepath.Join(t.TempDir(), "restored")
		done, err := r.Restore(t.Context(), first.Snapshot, snapshot, dir, false)
		if err != nil || done.Files != first.Files || done.There+len(done.Kept) > 0 {
			t.Errorf("%s: restore: %+v, %v", to, done, err)
		}
		if got, want := contents(t, dir), contents(t, d.Dir()); !maps.Equal(got, want) {
			t.Errorf("%s: restored %v, want %v", to, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		if _, err := os.Stat(filepath.Join(dir, layout.RepeatsFile)); err != nil {
			t.Errorf("%s: the index of repeats: %v", to, err)
		}

		// Only what is new is copied: nothing, or one segment more.
		if again, _ := save(t, r, d); again.Copied != 0 || again.Files != first.Files {
			t.Errorf("%s: again: %+v", to, again)
		}
		layouttest.Publish(t, d, "telemetry.log.v4.h.1.1380000000009", 1, layouttest.Partition)
		if more, _ := save(t, r, d); more.Copied != 1 {
			t.Errorf("%s: with a segment more: %+v", to, more)
		}
	}
}

// TestBackupBesideChanges: segments are published, and replaced by merged ones without
// any grace, while they are copied. Every record that was published before the backup is
// in the snapshot once, and none is there twice.
func TestBackupBesideChanges(t *testing.T) {
	d := layouttest.Open(t)
	r := open(t, t.TempDir())

	var mu sync.Mutex // protects published
	var published []string
	end := make(chan struct{})
	var changes sync.WaitGroup
	changes.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-end:
				return
			default:
			}
			lines := layouttest.Publish(t, d, fmt.Sprintf("log.%d", n), 3, layouttest.Channel("a"), layouttest.Channel("b"))
			mu.Lock()
			published = append(published, lines...)
			mu.Unlock()
			if n%3 != 0 {
				continue
			}
			options := upkeep.CompactOptions{Filter: layouttest.Everything(), Columns: n%6 != 0}
			if _, err := upkeep.In(d).Compact(t.Context(), options); err != nil {
				t.Error(err)
			}
		}
	})
	defer changes.Wait()
	defer close(end)

	for range 8 {
		mu.Lock()
		want := slices.Clone(published)
		mu.Unlock()

		done, snapshot := save(t, r, d)
		dir := filepath.Join(t.TempDir(), "restored")
		if _, err := r.Restore(t.Context(), done.Snapshot, snapshot, dir, false); err != nil {
			t.Fatal(err)
		}
		restored, err := layout.OpenData(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := layouttest.ReadAll(t, restored.Tree(), layouttest.Everything())
		restored.Close()
		if len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("of %d records, some are there twice", len(got))
		}
		for _, line := range want {
			if _, found := slices.BinarySearch(got, line); !found {
				t.Errorf("published before the backup, and not restored: %.40s", line)
			}
		}
	}
}

func TestRestoreOverwritesNothing(t *testing.T) {
	d := filled(t)
	r := open(t, t.TempDir())
	done, snapshot := save(t, r, d)

	dir := t.TempDir()
	mine := filepath.Join(dir, layout.SchemaFile)
	if err := os.WriteFile(mine, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Restore(t.Context(), done.Snapshot, snapshot, dir, false); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("into a folder that is not empty: %v", err)
	}
	restored, err := r.Restore(t.Context(), done.Snapshot, snapshot, dir, true)
	if err != nil || !slices.Equal(restored.Kept, []string{layout.SchemaFile}) || restored.Files != done.Files-1 {
		t.Errorf("beside: %+v, %v", restored, err)
	}
	if text, _ := os.ReadFile(mine); string(text) != "mine" {
		t.Errorf("the file that was there is %q", text)
	}
}

// TestDamagedBackup: damage in the repository is found, by Verify and by Restore, which
// leaves a folder that cannot be used and can be completed.
func TestDamagedBackup(t *testing.T) {
	d := filled(t)
	to := t.TempDir()
	r := open(t, to)
	done, snapshot := save(t, r, d)

	file := snapshot.Files[len(snapshot.Files)/2]
	object := filepath.Join(to, "objects", file.SHA256[:2], file.SHA256)
	content, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	damage := slices.Clone(content)
	damage[len(damage)/2] ^= 1
	for _, now := range [][]byte{damage, content[:len(content)-1], nil} {
		if err := os.WriteFile(object, now, 0o666); err != nil {
			t.Fatal(err)
		}
		if now == nil {
			os.Remove(object)
		}
		if damaged, err := r.Verify(t.Context(), snapshot); err != nil || len(damaged) != 1 || !strings.Contains(damaged[0].Error(), file.Path) {
			t.Errorf("verify: %v, %v", damaged, err)
		}

		dir := filepath.Join(t.TempDir(), "restored")
		if _, err := r.Restore(t.Context(), done.Snapshot, snapshot, dir, false); err == nil || !strings.Contains(err.Error(), file.Path) {
			t.Errorf("restore: %v", err)
		}
		if _, err := layout.OpenData(dir); err == nil || !strings.Contains(err.Error(), "has not ended") {
			t.Errorf("half a restore is opened: %v", err)
		}

		if err := os.WriteFile(object, content, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Restore(t.Context(), done.Snapshot, snapshot, dir, false); err != nil {
			t.Errorf("restored again: %v", err)
		}
		if got, want := contents(t, dir), contents(t, d.Dir()); !maps.Equal(got, want) {
			t.Errorf("restored %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}

	// A snapshot that was changed is damaged, and the next backup copies everything.
	name := filepath.Join(to, "snapshots", done.Snapshot)
	if err := os.WriteFile(name, []byte(`{"version":1}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Load(t.Context(), done.Snapshot); !layout.IsDamage(err) {
		t.Errorf("a changed snapshot: %v", err)
	}
	save(t, r, d)
}

func TestPrune(t *testing.T) {
	d := layouttest.Open(t)
	r := open(t, t.TempDir())
	layouttest.Publish(t, d, "log.1", 3, layouttest.Partition)
	layouttest.Publish(t, d, "log.2", 3, layouttest.Partition)
	save(t, r, d)
	if _, err := upkeep.In(d).Compact(t.Context(), upkeep.CompactOptions{Filter: layouttest.Everything()}); err != nil {
		t.Fatal(err)
	}
	last, snapshot := save(t, r, d)

	snapshots, objects, err := r.Prune(t.Context(), 1)
	if err != nil || snapshots != 1 || objects != 2 {
		t.Errorf("removed %d snapshots and %d objects, %v", snapshots, objects, err)
	}
	if damaged, err := r.Verify(t.Context(), snapshot); err != nil || len(damaged) > 0 {
		t.Errorf("what is left: %v, %v", damaged, err)
	}
	if names, err := r.Snapshots(t.Context()); err != nil || !slices.Equal(names, []string{last.Snapshot}) {
		t.Errorf("snapshots %v, %v", names, err)
	}
}

// TestSnapshotsAreNumbered: the newest one is the last that was made, whatever the clock
// said.
func TestSnapshotsAreNumbered(t *testing.T) {
	d := layouttest.Open(t)
	r := open(t, t.TempDir())
	for n, now := range []time.Time{time.Unix(1e9, 0), time.Unix(2e9, 0), time.Unix(1, 0)} {
		done, err := r.Backup(t.Context(), d, backup.Options{Whole: whole, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if latest, err := r.Find(t.Context(), "latest"); err != nil || latest != done.Snapshot {
			t.Errorf("snapshot %d: the latest is %s, %v", n, latest, err)
		}
	}
}

// TestRawLogThatIsFinishedMeanwhile: a raw log changes, its head too, while it is copied.
// What is stored is what it was at one time, under its own checksum.
func TestRawLogThatIsFinishedMeanwhile(t *testing.T) {
	d := layouttest.Open(t)
	raw := filepath.Join(d.Dir(), layout.RawDir, "telemetry.log.v4.h.1.1380000000003")
	if err := os.WriteFile(raw, []byte("head, entry, zeros"), 0o666); err != nil {
		t.Fatal(err)
	}

	r := open(t, t.TempDir())
	done, err := r.Backup(t.Context(), d, backup.Options{Whole: func(string, io.Reader) (int64, error) {
		file, err := os.OpenFile(raw, os.O_WRONLY, 0)
		if err != nil {
			return 0, err
		}
		_, err = file.WriteString("HEAD, entry, entry")
		return int64(len("head, entry")), errors.Join(err, file.Close())
	}})
	if err != nil {
		t.Fatal(err)
	}

	snapshot, err := r.Load(t.Context(), done.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if damaged, err := r.Verify(t.Context(), snapshot); err != nil || len(damaged) > 0 {
		t.Errorf("verify: %v, %v", damaged, err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := r.Restore(t.Context(), done.Snapshot, snapshot, dir, false); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, dir)[layout.RawDir+"/"+filepath.Base(raw)]; got != "head, entry" {
		t.Errorf("restored %q", got)
	}
}
