package engine_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
)

// TestSortsKeys: tables of many keys are sorted by digits; also keys that begin
// alike, that end where others go on, that hold zeros.
func TestSortsKeys(t *testing.T) {
	parts := []string{"", "a", "b", "\x00", "\x00\x00\x00", "same for eight", "\xff", "nightly"}
	for _, start := range []string{"", "a", "same for all keys"} {
		keys := map[string]bool{start: true}
		for range 5 {
			longer := map[string]bool{}
			for k := range keys {
				for _, p := range parts {
					longer[k+p] = true
				}
			}
			keys = longer
		}
		want := slices.Sorted(maps.Keys(keys))
		if got := engine.SortKeys(slices.Collect(maps.Keys(keys))); !slices.Equal(got, want) {
			t.Errorf("%d keys that begin with %q are in another order", len(want), start)
		}
	}
}
