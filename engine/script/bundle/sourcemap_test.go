package bundle

import (
	"slices"
	"testing"
)

func TestShiftColumns(t *testing.T) {
	// Two lines: (gen 0 → 0:0:2), (gen 4 → 0:0:6); empty; (gen 1, no source), (gen 3 → 0:1:0).
	in := "AAAE,IAAI;;C,EACN"
	if got, want := shiftColumns(in), "CAAG,IAAI;;E,EACN"; got != want {
		t.Errorf("shiftColumns(%q) = %q, want %q", in, got, want)
	}

	for _, fields := range [][]int{{0}, {-1, 15, 16, -16}, {511, -512, 1 << 20}} {
		if got := vlqFields(vlqString(fields)); !slices.Equal(got, fields) {
			t.Errorf("%v came back as %v", fields, got)
		}
	}
}
