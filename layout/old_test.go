package layout_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

func TestReadsThePredecessorsTree(t *testing.T) {
	for _, dir := range []string{layouttest.SharedData(t, "published"), layouttest.SharedData(t, "")} {
		tree, err := layout.OpenTree(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		segs, err := tree.Segments(t.Context(), schema.All())
		if err != nil {
			t.Fatal(err)
		}
		if len(segs) != 1 || segs[0].Version != 2 || segs[0].Dims != layouttest.Dims("saved_session/Firefox/nightly/28.0a1/20131029030201/20131029") {
			t.Fatalf("Segments(%s) = %+v", dir, segs)
		}
		got := layouttest.ReadAll(t, tree, schema.All())
		if len(got) != 4 || !strings.Contains(got[0], "\t{") {
			t.Errorf("read %d records, want 4", len(got))
		}
	}
}

// TestOldFormats packs the same lines with the real tools, reads them whole, and
// cut off at every kind of place: that must be an error, never a short read.
func TestOldFormats(t *testing.T) {
	t.Run("with xz", func(t *testing.T) { testOldFormats(t, false) })
	t.Run("without xz", func(t *testing.T) { testOldFormats(t, true) })
}

func testOldFormats(t *testing.T, hideXZ bool) {
	var text strings.Builder
	for i := range 3000 {
		text.WriteString(strings.Repeat("i", i%20+1) + "\t{\"a\":\"" + strings.Repeat("b", i%700) + "\"}\n")
	}

	tests := []struct {
		name, ext string
		pack      []string // nil: as it is
	}{
		{"plain", "", nil},
		{"gzip", ".gz", []string{"gzip", "-c"}},
		{"zstd", ".zst", []string{"zstd", "-c"}},
		{"zstd without checksum", ".zst", []string{"zstd", "-c", "--no-check", "--long=27"}},
		{"xz", ".xz", []string{"xz", "-c"}},
		{"LZMA-alone", ".lzma", []string{"xz", "--format=lzma", "-0", "-c"}},
		{"xz named lzma", ".lzma", []string{"xz", "-c"}},
	}
	tested := map[string]bool{}
	for _, tt := range tests {
		tested[tt.ext] = true
	}
	for _, ext := range segment.Extensions {
		if !tested["."+ext] {
			t.Errorf("no case has the extension %s", ext)
		}
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			packed := []byte(text.String())
			if tt.pack != nil {
				cmd := exec.Command(tt.pack[0], tt.pack[1:]...)
				cmd.Stdin = strings.NewReader(text.String())
				var err error
				if packed, err = cmd.Output(); errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if hideXZ {
				t.Setenv("PATH", "")
			}
			name := filepath.Join(dir, "r", "a", "c", "1", "2013.20130910.v2.log.x"+tt.ext)
			if tt.ext == "" {
				name = strings.TrimSuffix(name, ".x")
			}
			if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
				t.Fatal(err)
			}
			tree, err := layout.OpenTree(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			read := func(b []byte) ([]byte, error) {
				if err := os.WriteFile(name, b, 0o666); err != nil {
					t.Fatal(err)
				}
				segs, err := tree.Segments(t.Context(), schema.All())
				if err != nil || len(segs) != 1 {
					t.Fatalf("Segments = %v, %v", segs, err)
				}
				if info, err := tree.Info(segs[0]); err != nil || info.Records != -1 || info.Frames != 1 {
					t.Errorf("Info = %+v, %v", info, err)
				}
				if _, err := tree.Open(segs[0], 0, 1); !errors.Is(err, layout.ErrNoFrames) {
					t.Errorf("Open of a part: %v, want ErrNoFrames", err)
				}
				return layouttest.ReadSegment(tree, segs[0])
			}
			got, err := read(packed)
			if err != nil || !bytes.Equal(got, []byte(text.String())) {
				t.Fatalf("read %d bytes, %v; want %d", len(got), err, text.Len())
			}
			if tt.pack == nil {
				return
			}
			for _, n := range []int{1, 5, 14, 100, len(packed) / 2, len(packed) - 20, len(packed) - 1} {
				if got, err := read(packed[:n]); !isCorrupt(err) {
					t.Errorf("cut to %d of %d bytes: read %d bytes, %v; want a *CorruptError", n, len(packed), len(got), err)
				}
			}
		})
	}
}

func isCorrupt(err error) bool {
	c, ok := errors.AsType[*layout.CorruptError](err)
	return ok && c.Path != "" && !errors.Is(err, io.EOF)
}
