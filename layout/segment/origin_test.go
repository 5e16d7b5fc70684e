package segment

import (
	"slices"
	"testing"
)

func TestNamesRoundTrip(t *testing.T) {
	for _, o := range []Origin{{}, {Source: "telemetry.log.v3.h.1.2", Bytes: 1 << 40, CRC: 0xab, Submissions: 7}, {Source: "odd \"\n name", Bytes: 1}} {
		for _, replaces := range [][]string{nil, {"0000000000001_0123456789abcdef", "c0000000000002_0123456789abcdef"}} {
			text := joinNames(replaces, o)
			if text == "" { // a trailer without names
				continue
			}

			gotReplaces, got := parseNames(text)
			if got != o || !slices.Equal(gotReplaces, replaces) {
				t.Errorf("%q is read as %q and %+v", text, gotReplaces, got)
			}
		}
	}

	// A line of a later version is no name of a segment.
	if replaces, o := parseNames("from somewhere else"); len(replaces) > 0 || o != (Origin{}) {
		t.Errorf("read as %q and %+v", replaces, o)
	}
}
