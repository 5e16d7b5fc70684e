package dedup

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// Options tune Latest. The zero value has the defaults.
type Options struct {
	WorkDir string // for temporary data; "" is the system's
	// MemoryBytes bounds the entries (40 bytes per record) in memory; more goes to the
	// work folder. 0 means 128 MiB. One bit per record of the segments with duplicates
	// comes on top.
	MemoryBytes int
}

// defaultMemoryBytes holds three million entries.
const defaultMemoryBytes = 128 << 20

// Segment is a segment whose records Latest compares with those of others.
type Segment struct {
	Path string // names the segment in the result
	Dims schema.Dims
	// ReadIDs calls use with the ID index of all records, in one part or several.
	ReadIDs func(use func(segment.IDs) error) error
	// Without returns the records that count as if they were not there; nil: all count.
	Without func() (Records, error)
}

// Latest finds, over all the segments, the latest record of each document (ID and
// kind), and returns the others. All sessions are one kind: a saved-session replaces
// the idle-dailies of its session, whatever their order; any other reason is a kind
// of its own. Later is what was received later; of two in the same millisecond, the
// one that comes later in the list.
//
// It is exact: an ID is a UUID or 128 bits of a SHA-256.
func Latest(ctx context.Context, segments []Segment, o Options) (*Duplicates, error) {
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = defaultMemoryBytes
	}

	// The last entry of a document is its latest record, which stays.
	found, err := find(ctx, segments, o, func(set []entry, i int) bool {
		return i+1 < len(set) && set[i].sameDocument(&set[i+1])
	})
	if err != nil {
		return nil, fmt.Errorf("deduplicate: %w", err)
	}

	return found, nil
}

// Shared returns the records whose document has another record in the segments, which are of
// one partition.
func Shared(ctx context.Context, segments []Segment, o Options) (*Duplicates, error) {
	return find(ctx, segments, o, func(set []entry, i int) bool {
		return i > 0 && set[i].sameDocument(&set[i-1]) || i+1 < len(set) && set[i].sameDocument(&set[i+1])
	})
}

// find returns the records for which is says so of an entry, by its place among the sorted
// entries.
func find(ctx context.Context, segments []Segment, o Options, is func(set []entry, i int) bool) (*Duplicates, error) {
	entries := entrySet{workDir: o.WorkDir, memoryBytes: o.MemoryBytes}
	defer entries.close()

	// Kinds are numbered as they come: only their difference counts.
	kinds := map[string]uint16{}
	for index, seg := range segments {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := addSegment(&entries, kinds, uint32(index), seg); err != nil {
			return nil, err
		}
	}

	found := &Duplicates{byPath: map[string]Records{}}
	err := entries.eachSet(func(set []entry) {
		slices.SortFunc(set, func(a, b entry) int { return a.compare(&b) })

		for i := range set {
			if is(set, i) {
				found.add(segments[set[i].Segment].Path, int(set[i].Record))
			}
		}
	})
	return found, err
}

// addSegment adds an entry for each record of the segment with that index.
func addSegment(entries *entrySet, kinds map[string]uint16, index uint32, s Segment) error {
	date, err := strconv.ParseUint(s.Dims[schema.SubmissionDate], 10, 32)
	if err != nil {
		return fmt.Errorf("%s: date %q", s.Path, s.Dims[schema.SubmissionDate])
	}

	// One entry is filled again and again: add copies it.
	current := entry{Date: uint32(date), Segment: index}
	current.Kind, current.Rank = kindOf(s.Dims[schema.Reason], kinds)
	var without Records
	if s.Without != nil {
		without, err = s.Without()
		if err != nil {
			return err
		}
	}
	return s.ReadIDs(func(ids segment.IDs) error {
		for i := range ids.Len() {
			current.ID, current.MsOfDay = ids.At(i)
			if !without.Has(int(current.Record)) {
				if err := entries.add(&current); err != nil {
					return err
				}
			}
			current.Record++
		}
		return nil
	})
}

// kindOf returns the kind of document that a reason belongs to, numbered in kinds,
// and its rank in the kind: a record of a higher rank counts as later.
func kindOf(reason string, kinds map[string]uint16) (kind, rank uint16) {
	// A saved session has the whole session; its idle-dailies have what was known earlier.
	if reason == "saved_session" {
		reason = "idle_daily"
		rank = 1
	}

	kind, known := kinds[reason]
	if !known {
		kind = uint16(len(kinds))
		kinds[reason] = kind
	}
	return kind, rank
}
