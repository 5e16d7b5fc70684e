package worker

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
)

// TestDamagedRawLogIsKept damages a raw log of three submissions: what can be read is
// published, and the file is kept, as it is. When it comes back whole, what was missing is
// published, and nothing twice.
func TestDamagedRawLogIsKept(t *testing.T) {
	for what, tt := range map[string]struct {
		damage func(log []byte) []byte
		want   int // submissions that can be read
	}{
		"a byte of the second submission": {func(log []byte) []byte { log[len(log)/2] ^= 1; return log }, 2},
		"cut in the last submission":      {func(log []byte) []byte { return log[:len(log)-1] }, 2},
		"garbage at the end":              {func(log []byte) []byte { return append(log, "garbage"...) }, 3},
		"the head":                        {func(log []byte) []byte { log[3] ^= 1; return log }, 3},
		"everything":                      {func(log []byte) []byte { return []byte(strings.Repeat("x", len(log))) }, 0},
		"everything is zero":              {func(log []byte) []byte { clear(log); return log }, 0},
	} {
		data := ingesttest.DataWith(t, "id1", ingesttest.Ping(``), "id2", ingesttest.Ping(``), "id3", ingesttest.Ping(``))
		raw := filepath.Join(data.Dir(), layout.RawDir, name)
		whole, err := os.ReadFile(raw)
		if err != nil {
			t.Fatal(err)
		}
		damaged := tt.damage(slices.Clone(whole))
		if err := os.WriteFile(raw, damaged, 0o644); err != nil {
			t.Fatal(err)
		}

		w := newWorker(data, definitions(t), nil)
		got, err := w.ConvertLog(t.Context(), name)
		kept := layout.DamagedDir + "/raw/" + name
		if err != nil || got.Records != int64(tt.want) || got.BytesLost == 0 || !slices.Equal(got.Kept, []string{kept}) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		if there, err := os.ReadFile(filepath.Join(data.Dir(), kept)); err != nil || string(there) != string(damaged) {
			t.Errorf("%s: %s: %d bytes, %v", what, kept, len(there), err)
		}
		if left := rawLogs(t, data); len(left) > 0 {
			t.Errorf("%s: raw logs %v", what, left)
		}

		// The damaged one again, and then the one from a backup.
		for n, log := range [][]byte{damaged, whole} {
			if err := os.WriteFile(raw, log, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := w.ConvertLog(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 && !slices.Equal(got.Kept, []string{kept + ".2"}) {
				t.Errorf("%s: kept %v", what, got.Kept)
			}
		}
		if got := stored(t, data); len(got) != 3 || got["id1"] != 1 || got["id2"] != 1 || got["id3"] != 1 {
			t.Errorf("%s: stored %v", what, got)
		}
	}
}

// TestFileThatIsNoRawLogStays: what people leave in raw/ is not removed.
func TestFileThatIsNoRawLogStays(t *testing.T) {
	for name, content := range map[string]string{
		"notes.txt":      "remember to check the disk",
		"backup.v1.log":  "not one either, though its name has a version",
		"archive.tar.gz": "\x1f\x8b\x08\x00" + strings.Repeat("\x1e", 100),
	} {
		data := ingesttest.DataWith(t)
		raw := filepath.Join(data.Dir(), layout.RawDir, name)
		if err := os.WriteFile(raw, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}

		got, err := newWorker(data, definitions(t), nil).ConvertLog(t.Context(), name)
		if !errors.Is(err, ErrNoRawLog) || !strings.Contains(err.Error(), name) || len(got.Kept) > 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if there, err := os.ReadFile(raw); err != nil || string(there) != content {
			t.Errorf("%s: %q, %v", name, there, err)
		}
	}
}
