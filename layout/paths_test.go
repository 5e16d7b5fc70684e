package layout_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// hostile are values that climb, hide, break names or break lines.
var hostile = []string{
	"..", ".", "../../../../tmp/evil", "/etc/passwd", "a/../../b", "..%2F..%2Fx", "%2e%2e%2f", "\x00", "a\x00b",
	"a\tb\nc", ".hidden", "con.20130910.v2.log.x.zst", "invalid", "é\xff", strings.Repeat("../", 3000), strings.Repeat("x", 10_000),
}

// TestNothingLeavesTheFolder puts every hostile value in every dimension, in
// quarantine classes, IDs and paths, and then looks at what is on the disk.
func TestNothingLeavesTheFolder(t *testing.T) {
	outside := t.TempDir()
	d, err := layout.OpenData(filepath.Join(outside, "deep", "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	w, err := d.NewWriter("log", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	for dim := range schema.NumDims {
		for _, v := range hostile {
			p := layouttest.Partition
			p[dim] = v
			if err := w.Add(d.Schema().Partition(p), []byte("id"), []byte("{}")); err == nil {
				records++
			} else if dim != schema.SubmissionDate || !errors.Is(err, layout.ErrBadRecord) {
				t.Errorf("%s = %.40q: %v", schema.DimNames[dim], v, err)
			}
			if err := w.Add(p, []byte("id"), []byte("{}")); err == nil && schema.Sanitise(dim, v) != v {
				t.Errorf("%s = %.40q was accepted as a path", schema.DimNames[dim], v)
			} else if err == nil {
				records++
			}
			q := layout.Rejected{Class: v, Message: v, Path: "id/" + strings.Join(p[:schema.NumDims-1], "/"), Body: []byte(v)}
			if err := w.AddRejected(q); err != nil {
				t.Errorf("quarantine of %.40q: %v", v, err)
			}
			records++
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := layouttest.ReadAll(t, d.Tree(), layouttest.Everything()); len(got) != records {
		t.Errorf("%d records are readable, want %d", len(got), records)
	}
	err = filepath.WalkDir(outside, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(filepath.Join(outside, "deep", "data"), name)
		if !e.IsDir() && !strings.HasPrefix(rel, layout.PublishedDir) && !strings.HasPrefix(rel, layout.QuarantineDir) {
			t.Errorf("file outside the trees: %s", name)
		}
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("hidden name: %s", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSymbolicLinks: links that lead out are neither written through nor read.
func TestSymbolicLinks(t *testing.T) {
	d, outside := layouttest.Open(t), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(d.Dir(), layout.PublishedDir, layouttest.Partition[schema.Reason])); err != nil {
		t.Fatal(err)
	}
	raw := filepath.Join(d.Dir(), layout.RawDir, "log")
	if err := os.WriteFile(raw, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := d.NewWriter("log", layout.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(layouttest.Partition, []byte("id"), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("Commit through a link that leads out succeeded")
	}
	if es, _ := os.ReadDir(outside); len(es) > 0 {
		t.Errorf("the folder outside holds %v", es)
	}
	if _, err := os.Stat(raw); err != nil {
		t.Errorf("the raw log is gone: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(outside, "a", "c", "1"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "a", "c", "1", "b.20130910.log"), []byte("id\t{}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if segs, err := d.Tree().Segments(t.Context(), schema.All()); err != nil || len(segs) != 0 {
		t.Errorf("Segments = %v, %v; want none", segs, err)
	}
	if _, err := d.Tree().Open(layout.Segment{Path: "published/saved_session/a/c/1/b.20130910.log"}, 0, -1); err == nil {
		t.Error("Open through a link that leads out succeeded")
	}
	if _, err := d.Tree().Open(layout.Segment{Path: "../x"}, 0, -1); err == nil {
		t.Error("Open of ../x succeeded")
	}
}

func TestWalkPrunesAndSkips(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"r/a/c/1/b.20130910.v2.log.0_a.zst", "r/a/c/1/b.20130911.log", "r/a/d/1/b.20130910.log.3.lzma",
		"r/a/c/1/b.20130910.log.3.compressing", "r/a/c/1/b.20130910.log.17.2.compressme", "r/a/c/1/.b.20130910.log",
		"r/a/c/1/README", "r/a/c/1/b.20130910.v0.log", "r/a/c/1/b.1.log", "r/a/c/note.txt", "r/a/c/1/b.20130910.v2.log.x.zst.tmp",
		"r/a/c/1/deeper/b.20130910.log", ".git/a/c/1/b.20130910.log", "invalid/a/c/1/b.20130910.log",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "r/a/c/1/b.20130910.log.4.lzma"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	// A folder that the filter excludes is not even opened.
	if err := os.Mkdir(filepath.Join(dir, "x"), 0); err != nil {
		t.Fatal(err)
	}
	tree, err := layout.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for _, tt := range []struct{ where, want string }{
		{"reason=r", "r/a/c/1/b.20130910.v2.log.0_a.zst r/a/c/1/b.20130911.log r/a/d/1/b.20130910.log.3.lzma"},
		{"appUpdateChannel=d", "r/a/d/1/b.20130910.log.3.lzma"},
		{"submission_date=20130911..", "r/a/c/1/b.20130911.log"},
		{"appBuildID=z", ""},
	} {
		c, err := schema.ParseWhere(tt.where)
		if err != nil {
			t.Fatal(err)
		}
		segs, err := tree.Segments(t.Context(), schema.All().Where(schema.Reason, schema.OneOf("r")).Where(c.Dim, c.Values))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range segs {
			got = append(got, s.Path)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s selects %q, want %q", tt.where, got, tt.want)
		}
	}
	f := schema.All()
	f.IncludeQuarantined = true
	if segs, err := tree.Segments(t.Context(), f.Where(schema.Reason, schema.OneOf("a"))); err != nil || len(segs) != 0 {
		t.Errorf("Segments = %v, %v", segs, err)
	}
}
