package segment

import (
	"reflect"
	"testing"
)

func TestNamesRoundTrip(t *testing.T) {
	for _, o := range []Origin{{}, {Source: "telemetry.log.v3.h.1.2", Bytes: 1 << 40, CRC: 0xab, Submissions: 7}, {Source: "odd \"\n name", Bytes: 1}} {
		for _, replaces := range [][]string{nil, {"0000000000001_0123456789abcdef", "c0000000000002_0123456789abcdef"}} {
			want := Trailer{Origin: o, Replaces: replaces, packed: 0xabc, hasPacked: true}
			text := want.joinNames()
			var got Trailer
			got.parseNames(text)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%q is read as %+v", text, got)
			}
		}
	}

	// A line of a later version is no name of a segment.
	for _, text := range []string{"from somewhere else", "packed otherwise"} {
		var got Trailer
		got.parseNames(text)
		if !reflect.DeepEqual(got, Trailer{}) {
			t.Errorf("%s is read as %+v", text, got)
		}
	}
}
