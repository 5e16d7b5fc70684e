package revisions

import (
	"slices"
	"testing"
)

// TestGleanBounds: the bounds of captured distributions, and those at both ends.
func TestGleanBounds(t *testing.T) {
	timing := NewGlean("t", Timing).Bounds()
	memory := NewGlean("m", Memory).Bounds()
	for _, bounds := range [][]int{timing, memory} {
		if bounds[0] != 0 || bounds[1] != 1 || bounds[len(bounds)-1] < 1<<52 || !slices.IsSorted(bounds) {
			t.Errorf("bounds %v", bounds)
		}
	}
	for _, c := range []struct {
		bounds []int
		bound  int
	}{{timing, 939}, {timing, 2435}, {timing, 57785961645}, {memory, 511}, {memory, 4194303}, {memory, 146365470}} {
		if _, ok := slices.BinarySearch(c.bounds, c.bound); !ok {
			t.Errorf("%d is no bound", c.bound)
		}
	}

	// As the Glean SDK for Python 71 computes them.
	for power := 4; power <= 46; power++ {
		if _, ok := slices.BinarySearch(timing, 1<<power); !ok {
			t.Errorf("timing: %d is no bound", 1<<power)
		}
	}

	def := NewGlean("m", Memory)
	for bound, want := range map[int64]int64{0: 0, 511: 511, 512: 511, 4194303: 4194303, 4194302: 4194303, 146365469: 146365470, 146365400: 140160054} {
		if got := def.Bounds()[def.GleanBucket(bound)]; int64(got) != want {
			t.Errorf("%d belongs to the bucket from %d, want %d", bound, got, want)
		}
	}
}
