package dedup

import (
	"context"
	"errors"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// record is one record of a test's segment.
type record struct {
	id      string
	msOfDay uint32
}

// testSegment returns a segment of these records.
func testSegment(path, reason, date string, records ...record) Segment {
	s := Segment{Path: path}
	s.Dims[schema.Reason] = reason
	s.Dims[schema.SubmissionDate] = date
	s.ReadIDs = func(use func(segment.IDs) error) error {
		var ids segment.IDs
		for _, r := range records {
			ids.Add(segment.IDOf([]byte(r.id)), r.msOfDay)
		}
		return use(ids)
	}
	return s
}

// TestLatestRules has one case for each rule of which record is the latest. Package
// layout compares Latest with a map of random submissions.
func TestLatestRules(t *testing.T) {
	for _, tt := range []struct {
		name     string
		segments []Segment
		drop     string // path of the segment whose first record is dropped; "" is none
	}{
		{"later day", []Segment{testSegment("a", "main", "20130911", record{"x", 1}), testSegment("b", "main", "20130910", record{"x", 9})}, "b"},
		{"later in the day", []Segment{testSegment("a", "main", "20130910", record{"x", 9}), testSegment("b", "main", "20130910", record{"x", 1})}, "b"},
		{"same millisecond", []Segment{testSegment("a", "main", "20130910", record{"x", 1}), testSegment("b", "main", "20130910", record{"x", 1})}, "a"},
		{"saved session", []Segment{testSegment("a", "saved_session", "20130910", record{"x", 1}), testSegment("b", "idle_daily", "20130911", record{"x", 1})}, "b"},
		{"other kind", []Segment{testSegment("a", "main", "20130910", record{"x", 1}), testSegment("b", "idle_daily", "20130911", record{"x", 1})}, ""},
		{"other document", []Segment{testSegment("a", "main", "20130910", record{"x", 1}), testSegment("b", "main", "20130911", record{"y", 1})}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, memoryBytes := range []int{0, 1} {
				found, err := Latest(t.Context(), tt.segments, Options{WorkDir: t.TempDir(), MemoryBytes: memoryBytes})
				if err != nil {
					t.Fatal(err)
				}

				for _, s := range tt.segments {
					if got, want := found.Of(s.Path).Has(0), s.Path == tt.drop; got != want {
						t.Errorf("%d bytes of memory: segment %s dropped %v, want %v", memoryBytes, s.Path, got, want)
					}
				}
			}
		})
	}
}

func TestLatestFails(t *testing.T) {
	segments := []Segment{testSegment("a", "main", "not a date", record{"x", 1})}
	if _, err := Latest(t.Context(), segments, Options{}); err == nil {
		t.Error("a segment without a date was read")
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Latest(ended, segments, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Latest: %v, want %v", err, context.Canceled)
	}
}
