package upkeep

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/klauspost/compress/zstd"
)

// damaged publishes 30 records in as many frames, damages the segment, and
// returns its path.
func damaged(t *testing.T, d *layout.Data, how func(file []byte) []byte) string {
	t.Helper()
	w, err := d.NewWriter("log.1", layout.WriterOptions{MemoryBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if err := w.Add(layouttest.Partition, fmt.Appendf(nil, "id-%d", i), []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	pub, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(d.Dir(), pub[0].Path)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, how(b), 0o666); err != nil {
		t.Fatal(err)
	}
	return pub[0].Path
}

func TestCheckAndRepair(t *testing.T) {
	flip := func(at func(b []byte) int) func([]byte) []byte {
		return func(b []byte) []byte { b[at(b)] ^= 0x40; return b }
	}
	cut := func(n func(b []byte) int) func([]byte) []byte {
		return func(b []byte) []byte { return b[:n(b)] }
	}
	frameAt := func(i int) func([]byte) int { // somewhere inside the frame's data
		return func(b []byte) int {
			ix, err := segment.ReadIndex(strings.NewReader(string(b)), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			return int(ix.Frames[i].CompressedOffset) + 20
		}
	}
	for _, tt := range []struct {
		name string
		how  func([]byte) []byte
		left int
	}{
		{"nothing", func(b []byte) []byte { return b }, 30},
		{"first frame", flip(frameAt(0)), 29},
		{"second frame", flip(frameAt(1)), 29},
		{"seek table", flip(func(b []byte) int { return len(b) - 12 }), 30},
		{"footer cut off", cut(func(b []byte) int { return len(b) - 1 }), 30},
		{"cut in the last frame", cut(frameAt(29)), 29},
		{"cut in the first frame", cut(frameAt(0)), 0},
		{"empty", cut(func([]byte) int { return 0 }), 0},
		{"ID index", flip(func(b []byte) int { return frameAt(29)(b) + 100 }), 30},
		{"foreign", func([]byte) []byte { return []byte("hello") }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := layouttest.Open(t)
			name := damaged(t, d, tt.how)
			whole := tt.name == "nothing"
			for _, repair := range []bool{false, true} {
				_, found, err := In(d).Check(t.Context(), repair)
				if err != nil {
					t.Fatal(err)
				}
				if whole && len(found) > 0 || !whole && (len(found) != 1 || found[0].Path != name || !found[0].Damage()) {
					t.Fatalf("found %v", found)
				}
			}
			if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != tt.left {
				t.Errorf("%d records are left, want %d", len(got), tt.left)
			}
			if _, found, err := In(d).Check(t.Context(), true); err != nil || len(found) != 0 {
				t.Errorf("after the repair: %v, %v", found, err)
			}
			if _, err := os.Stat(filepath.Join(d.Dir(), layout.DamagedDir, name)); (err == nil) == whole {
				t.Errorf("the damaged file: %v", err)
			}
		})
	}
}

func TestCheckFindsStraysAndInterruptions(t *testing.T) {
	d := layouttest.Open(t)
	layouttest.Publish(t, d, "log.1", 3, layouttest.Partition)
	for _, name := range []string{"published/note", "published/saved_session/x.zst", "invalid/y"} {
		if err := os.WriteFile(filepath.Join(d.Dir(), name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	d.Folder().Hook = (&layouttest.Killer{Left: 6}).Hook
	if err := layouttest.Convert(t, d); !errors.Is(err, layouttest.ErrKilled) {
		t.Fatal(err)
	}
	d.Folder().Hook = nil
	for _, repair := range []bool{false, true} {
		st, found, err := In(d).Check(t.Context(), repair)
		if err != nil || len(found) != 4 || st.Records != 3 || st.Segments != 1 {
			t.Errorf("Check = %+v, %v, %v", st, found, err)
		}
		for _, f := range found {
			if f.Damage() {
				t.Errorf("%v counts as damage", f)
			}
		}
	}
	if _, found, err := In(d).Check(t.Context(), false); err != nil || len(found) != 3 {
		t.Errorf("after the repair: %v, %v", found, err)
	}
}

// TestRepairKeepsEachDamagedFile: a segment that is damaged again after its repair.
func TestRepairKeepsEachDamagedFile(t *testing.T) {
	for _, url := range []string{"", "mem://damaged-twice"} {
		d := layouttest.Open(t)
		if url == "" {
			url = "file://" + d.Dir()
		} else if err := d.PublishTo(url); err != nil {
			t.Fatal(err)
		}
		layouttest.Publish(t, d, "log.1", 3, layouttest.Partition, layouttest.Channel("a"))
		for range 2 {
			cutSegment(t, url, d.Tree())
			if _, found, err := In(d).Check(t.Context(), true); err != nil || len(found) != 1 {
				t.Fatalf("Check = %v, %v", found, err)
			}
		}
		b, err := backend.OpenBlob(url)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		segs, err := d.Tree().Segments(t.Context(), schema.All())
		if err != nil || len(segs) != 2 {
			t.Fatal(segs, err)
		}
		if es, err := b.List(t.Context(), path.Dir(layout.DamagedDir+"/"+segs[1].Path)); err != nil || len(es) != 2 {
			t.Errorf("%s: kept %v, %v; want both damaged files", url, es, err)
		}
		if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != 6 {
			t.Errorf("%s: %d records are left, want 6", url, len(got))
		}
	}
}

// TestRepairOldFile: what can be read of a torn file of the predecessor becomes a
// segment in its place.
func TestRepairOldFile(t *testing.T) {
	d := layouttest.Open(t)
	dir := filepath.Join(d.Dir(), layout.PublishedDir, "saved_session/Firefox/nightly/26.0a1")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile(filepath.Join("testdata", "old.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "2013.20130910.log.3.gz"), packed[:len(packed)-2], 0o666); err != nil {
		t.Fatal(err)
	}
	if _, found, err := In(d).Check(t.Context(), true); err != nil || len(found) != 1 || !found[0].Damage() {
		t.Errorf("Check = %v, %v", found, err)
	}
	if got := layouttest.ReadAll(t, d.Tree(), schema.All()); len(got) != 2 {
		t.Errorf("read %q", got)
	}
	if segs, _ := d.Tree().Segments(t.Context(), schema.All()); len(segs) != 1 || !segs[0].Seekable() || segs[0].Version != 0 {
		t.Errorf("segments %+v", segs)
	}
}

// TestCheckOfPlainZstd: a file by the zstd program is no damage; cut off, it is.
func TestCheckOfPlainZstd(t *testing.T) {
	d := layouttest.Open(t)
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := w.EncodeAll([]byte("a\t{}\nb\t{}\n"), nil)
	name := filepath.Join(d.Dir(), layout.PublishedDir, "saved_session/Firefox/nightly/26.0a1/2013.20130910.v2.log.mine.zst")
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file   []byte
		damage bool
	}{{packed, false}, {append(packed, packed...), false}, {append(packed, packed[:len(packed)-1]...), true}} {
		if err := os.WriteFile(name, tt.file, 0o666); err != nil {
			t.Fatal(err)
		}
		_, found, err := In(d).Check(t.Context(), false)
		if err != nil || len(found) != 1 || found[0].Damage() != tt.damage || !tt.damage && !strings.Contains(found[0].Err.Error(), "no index") {
			t.Errorf("%d bytes: %v, %v", len(tt.file), found, err)
		}
	}
	if _, _, err := In(d).Check(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	segs, err := d.Tree().Segments(t.Context(), schema.All())
	if err != nil || len(segs) != 1 || !segs[0].Seekable() {
		t.Errorf("after the repair: %+v, %v", segs, err)
	}
}
