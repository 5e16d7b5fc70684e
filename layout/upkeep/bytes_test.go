package upkeep

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// TestCheckCoversEveryByte damages one byte after the other of a segment.
func TestCheckCoversEveryByte(t *testing.T) {
	d := layouttest.Open(t)
	name := damaged(t, d, func(b []byte) []byte { return b })
	file := filepath.Join(d.Dir(), name)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	step := 1
	if testing.Short() {
		step = 7
	}
	for at := 0; at < len(whole); at += step {
		for _, bit := range []byte{0x01, 0x80} {
			changed := bytes.Clone(whole)
			changed[at] ^= bit
			if err := os.WriteFile(file, changed, 0o644); err != nil {
				t.Fatal(err)
			}

			_, found, err := Check(t.Context(), d.Tree())
			if err != nil || len(found) != 1 || found[0].Path != name || !found[0].Damage() {
				t.Fatalf("byte %d of %d, bit %x: %v, %v", at, len(whole), bit, found, err)
			}
		}
	}
}
