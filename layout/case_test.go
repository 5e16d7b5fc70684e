package layout_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// spellings are partitions whose values differ in the case of letters only.
func spellings() (partitions []schema.Dims) {
	for _, text := range []string{
		"saved_session/Firefox/nightly/29.0a1/20130909030204/20130910",
		"saved_session/Firefox/nightly/29.0A1/20130909030204/20130910",
		"saved_session/firefox/nightly/29.0a1/20130909030204/20130910",
		"saved_session/Firefox/Nightly/29.0a1/20130909030204/20130910",
		"Saved_Session/Firefox/nightly/29.0a1/20130909030204/20130910",
		"saved_session/Firefox/nightly/29.0a1/build/20130910",
		"saved_session/Firefox/nightly/29.0a1/Build/20130910",
		"OTHER/Firefox/nightly/29.0a1/build/20130910",
		"other/Firefox/nightly/29.0a1/build/20130910",
	} {
		partitions = append(partitions, layouttest.Dims(text))
	}
	return partitions
}

// publishSpellings publishes three records in each of the spellings, from two raw logs,
// and returns what must be read: partition and ID.
func publishSpellings(t *testing.T, d *layout.Data) (want []string) {
	t.Helper()
	for _, source := range []string{"log.1", "log.2"} {
		w, err := d.NewWriter(source, layout.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for n, partition := range spellings() {
			for i := range 3 {
				id := fmt.Sprintf("%s-%d-%d", source, n, i)
				if err := w.Add(partition, []byte(id), []byte("{}")); err != nil {
					t.Fatal(err)
				}
				want = append(want, partition.String()+" "+id)
			}
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	return want
}

// readSpellings returns partition and ID of each record.
func readSpellings(t *testing.T, tree *layout.Tree) (got []string) {
	t.Helper()
	segments, err := tree.Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	for _, seg := range segments {
		text, err := layouttest.ReadSegment(tree, seg)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			id, _, _ := strings.Cut(line, "\t")
			got = append(got, seg.Dims.String()+" "+id)
		}
	}
	slices.Sort(got)
	return got
}

// TestSpellingsShareNoPath publishes, and checks that no two paths are one for a file
// system that folds letters. Then the tree moves to such a one, which has the folder
// that comes first under the name of each.
func TestSpellingsShareNoPath(t *testing.T) {
	d := layouttest.Open(t)
	want := publishSpellings(t, d)
	if got := readSpellings(t, d.Tree()); !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}

	folded := map[string]string{}
	err := filepath.WalkDir(filepath.Join(d.Dir(), layout.PublishedDir), func(name string, _ os.DirEntry, err error) error {
		small := strings.ToLower(name)
		if other, taken := folded[small]; taken {
			t.Errorf("%s and %s are one for a file system that folds letters", name, other)
		}
		folded[small] = name
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFoldingFileSystem does the same on file systems that fold letters, as far as the
// system can make them here.
func TestFoldingFileSystem(t *testing.T) {
	for _, kind := range []string{"vfat", "ext4"} {
		t.Run(kind, func(t *testing.T) {
			d, err := layout.OpenData(filepath.Join(foldingFolder(t, kind), "data"))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()

			want := publishSpellings(t, d)
			for range 2 {
				if got := readSpellings(t, d.Tree()); !slices.Equal(got, want) {
					t.Errorf("read %d records, want %d", len(got), len(want))
				}
				if _, err := upkeep.In(d).Compact(t.Context(), upkeep.CompactOptions{Filter: schema.All()}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// foldingFolder mounts a file system of that kind in a file, with names that fold.
func foldingFolder(t *testing.T, kind string) string {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	make := []string{"mkfs.vfat", image}
	if kind == "ext4" {
		make = []string{"mkfs.ext4", "-q", "-O", "casefold", "-E", "encoding=utf8", image}
	}
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 64<<20); err != nil {
		t.Fatal(err)
	}

	for _, command := range [][]string{make, {"mount", "-o", "loop", image, dir}} {
		if text, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v\n%s", command[0], err, text)
		}
	}
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	if kind == "ext4" {
		inner := filepath.Join(dir, "folding")
		if err := os.Mkdir(inner, 0o755); err != nil {
			t.Fatal(err)
		}
		if text, err := exec.Command("chattr", "+F", inner).CombinedOutput(); err != nil {
			t.Skipf("chattr: %v\n%s", err, text)
		}
		return inner
	}
	return dir
}

// TestOldSpellings reads a store of an older version, which wrote every spelling as it is.
func TestOldSpellings(t *testing.T) {
	d := layouttest.Open(t)
	layouttest.Publish(t, d, "log.1", 3, layouttest.Partition)
	segments, err := d.Tree().Segments(t.Context(), schema.All())
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}

	old := strings.Replace(segments[0].Path, "26.0a1/20130909030204", "26.0A1/Build", 1)
	if err := os.MkdirAll(filepath.Join(d.Dir(), filepath.Dir(old)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(d.Dir(), segments[0].Path), filepath.Join(d.Dir(), old)); err != nil {
		t.Fatal(err)
	}

	// New records of that partition lie beside it, and both are read and compacted.
	partition := layouttest.Partition
	partition[schema.Version], partition[schema.BuildID] = "26.0A1", "Build"
	layouttest.Publish(t, d, "log.2", 3, partition)
	layouttest.Publish(t, d, "log.3", 3, partition)
	only := schema.All().Where(schema.Version, schema.OneOf("26.0A1")).Where(schema.BuildID, schema.OneOf("Build"))
	for range 2 {
		if got := layouttest.ReadAll(t, d.Tree(), only); len(got) != 9 {
			t.Errorf("%d records, want 9", len(got))
		}
		if _, err := upkeep.In(d).Compact(t.Context(), upkeep.CompactOptions{Filter: schema.All()}); err != nil {
			t.Fatal(err)
		}
	}
	if _, found, err := upkeep.In(d).Check(t.Context(), false); err != nil || len(found) != 0 {
		t.Errorf("check: %v, %v", found, err)
	}
}
