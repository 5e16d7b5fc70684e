package upkeep

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// interrupt converts a raw log and dies right after the commit file is written. It
// returns that file's name.
func interrupt(t *testing.T, d *layout.Data) string {
	t.Helper()
	raw := filepath.Join(d.Dir(), layout.RawDir, layouttest.RawLog)
	if err := os.WriteFile(raw, []byte("what it was made from"), 0o644); err != nil {
		t.Fatal(err)
	}

	var committed atomic.Bool // several files are written at the same time
	d.Folder().Hook = func(_ *os.Root, o backend.Op, name string) error {
		if committed.Load() && o != backend.OpSyncDir {
			return layouttest.ErrKilled
		}
		if o == backend.OpRename && filepath.Base(name) == backend.CommitFile {
			committed.Store(true)
		}
		return nil
	}
	err := layouttest.Convert(t, d)
	d.Folder().Hook = nil
	if !errors.Is(err, layouttest.ErrKilled) {
		t.Fatal(err)
	}

	names, _ := filepath.Glob(filepath.Join(d.Dir(), layout.StagingDir, "*", backend.CommitFile))
	if len(names) != 1 {
		t.Fatalf("commit files %v", names)
	}
	return names[0]
}

// TestDamagedCommit damages each byte of a commit file: check says so, the repair moves
// the folder aside, and the raw log is converted again.
func TestDamagedCommit(t *testing.T) {
	want := layouttest.Open(t)
	if err := layouttest.Convert(t, want); err != nil {
		t.Fatal(err)
	}
	records := layouttest.ReadAll(t, want.Tree(), layouttest.Everything())

	size := 1
	for at := 0; at < size; at += 13 {
		d := layouttest.Open(t)
		file := interrupt(t, d)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		size = len(text)

		// What names the checksum is not covered: without it, the commit is an old one.
		text[at] ^= 1
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		_, found, err := In(d).Check(t.Context(), false)
		if err != nil || len(found) != 1 || !found[0].Damage() && at >= len(`{"sum":"`) {
			t.Fatalf("byte %d of %d: %v, %v", at, size, found, err)
		}
		if found[0].Damage() {
			if err := d.Recover(t.Context()); !layout.IsDamage(err) || !strings.Contains(err.Error(), "check --repair") {
				t.Errorf("Recover: %v", err)
			}
		}

		for range 2 {
			_, found, err = In(d).Check(t.Context(), true)
			if err != nil || len(found) > 0 && found[0].Repaired == "" {
				t.Fatalf("byte %d: repair: %v, %v", at, found, err)
			}
		}
		if len(found) > 0 {
			t.Errorf("byte %d: after the repair: %v", at, found)
		}
		if err := layouttest.Convert(t, d); err != nil {
			t.Fatal(err)
		}
		if got := layouttest.ReadAll(t, d.Tree(), layouttest.Everything()); !slices.Equal(got, records) {
			t.Errorf("byte %d: %d records, want %d", at, len(got), len(records))
		}
	}
}

// TestNewerCommit: a commit of a later version is neither finished, nor dropped, nor
// called damaged.
func TestNewerCommit(t *testing.T) {
	d := layouttest.Open(t)
	file := interrupt(t, d)
	newer := []byte(`{"version": 2, "steps": []}`)
	if err := os.WriteFile(file, newer, 0o644); err != nil {
		t.Fatal(err)
	}

	_, found, err := In(d).Check(t.Context(), false)
	if err != nil || len(found) != 1 || found[0].Damage() || !errors.Is(found[0].Err, layout.ErrNewer) {
		t.Errorf("check: %v, %v", found, err)
	}
	if _, _, err := In(d).Check(t.Context(), true); !errors.Is(err, layout.ErrNewer) {
		t.Errorf("repair: %v", err)
	}
	if err := d.Recover(t.Context()); !errors.Is(err, layout.ErrNewer) {
		t.Errorf("Recover: %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.Equal(text, newer) {
		t.Errorf("the commit file: %s, %v", text, err)
	}
}

// TestDamagedCompaction: a damaged commit of a compaction does not keep the repair from
// its lock.
func TestDamagedCompaction(t *testing.T) {
	d := layouttest.Open(t)
	want := layouttest.Publish(t, d, "log.1", 5, layouttest.Partition)
	if err := os.MkdirAll(filepath.Join(d.Dir(), layout.CompactDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir(), layout.CompactDir, backend.CommitFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}

	if _, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Now: testNow}); !layout.IsDamage(err) {
		t.Errorf("Compact: %v", err)
	}
	if _, found, err := In(d).Check(t.Context(), true); err != nil || len(found) != 1 || found[0].Repaired == "" {
		t.Errorf("repair: %v, %v", found, err)
	}
	if _, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Now: testNow}); err != nil {
		t.Error(err)
	}
	if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != len(want) {
		t.Errorf("%d records", len(got))
	}
}

// TestNewerSegment: a segment of a later version is never repaired, nor merged.
func TestNewerSegment(t *testing.T) {
	d := layouttest.Open(t)
	layouttest.Publish(t, d, "log.2", 3, layouttest.Partition)
	name := damaged(t, d, func(b []byte) []byte {
		// The fixed part of the trailer is before the seek table of 30 frames.
		version := b[len(b)-9-30*12-8-12:]
		version[0]++
		version[8]++ // a checksum of other things
		return b
	})
	before, err := os.ReadFile(filepath.Join(d.Dir(), name))
	if err != nil {
		t.Fatal(err)
	}

	for _, repair := range []bool{false, true} {
		_, found, err := In(d).Check(t.Context(), repair)
		if err != nil || len(found) != 1 || found[0].Damage() || !errors.Is(found[0].Err, layout.ErrNewer) || found[0].Repaired != "" {
			t.Errorf("check, repair %v: %v, %v", repair, found, err)
		}
	}
	if _, err := In(d).Compact(t.Context(), CompactOptions{Filter: schema.All(), Now: testNow}); !errors.Is(err, layout.ErrNewer) {
		t.Errorf("Compact: %v", err)
	}
	if after, err := os.ReadFile(filepath.Join(d.Dir(), name)); err != nil || !bytes.Equal(after, before) {
		t.Errorf("it is another file now: %v", err)
	}
}

// TestDamagedIndexOfRepeats damages the index: check says so, and the repair sets it aside.
func TestDamagedIndexOfRepeats(t *testing.T) {
	d := layouttest.Open(t)
	d.DropRepeats(3)
	w, err := d.NewWriter("log.1", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		if _, err := w.Repeated([]byte{byte(i), byte(i >> 8)}, []byte("body"), testNow); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, found, err := In(d).Check(t.Context(), false); err != nil || len(found) != 0 {
		t.Fatalf("sound: %v, %v", found, err)
	}

	file := filepath.Join(d.Dir(), layout.RepeatsFile)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	for at := 2*page + 100; at < len(whole); at += 3*page + 7 {
		changed := bytes.Clone(whole)
		changed[at] ^= 4
		if err := os.WriteFile(file, changed, 0o644); err != nil {
			t.Fatal(err)
		}

		_, found, err := In(d).Check(t.Context(), false)
		if err != nil || len(found) > 1 {
			t.Fatalf("byte %d: %v, %v", at, found, err)
		}
		_, repaired, err := In(d).Check(t.Context(), true)
		if err != nil || len(repaired) != len(found) || len(found) == 1 && (!found[0].Damage() || repaired[0].Repaired == "") {
			t.Errorf("byte %d: %v, repaired %v, %v", at, found, repaired, err)
		}
		if _, found, err := In(d).Check(t.Context(), false); err != nil || len(found) != 0 {
			t.Errorf("byte %d: after the repair %v, %v", at, found, err)
		}
	}
}
