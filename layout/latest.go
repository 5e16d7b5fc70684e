package layout

import (
	"context"
	"slices"

	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// Latest finds, over all the segments, the latest record of each document, and
// returns the others, for Reader.Skip; see dedup.Latest. Quarantined records are
// never duplicates.
//
// It reads the ID indexes, not the data; only old files, which have none, are read
// once for it. Damage is a *CorruptError.
func (t *Tree) Latest(ctx context.Context, segments []Segment, o dedup.Options) (*dedup.Duplicates, error) {
	// Of two records received in the same millisecond the later one in the order of the input
	// counts, which does not depend on the form.
	type ordered struct {
		order Order
		dedup.Segment
	}
	var found []ordered
	for _, seg := range segments {
		if seg.Quarantined {
			continue
		}
		for part, records := range t.Compared(seg) {
			if !seg.InColumns() {
				part = -1
			}
			found = append(found, ordered{seg.OrderOf(part), records})
		}
	}
	slices.SortStableFunc(found, func(a, b ordered) int { return a.order.Compare(b.order) })

	list := make([]dedup.Segment, len(found))
	for i, records := range found {
		list[i] = records.Segment
	}
	return dedup.Latest(ctx, list, o)
}

// Compared returns what package dedup compares of a segment: that of each part, because these
// have dimensions of their own; one if it is in rows.
func (t *Tree) Compared(s Segment) []dedup.Segment {
	if s.InColumns() {
		return t.comparedParts(s)
	}
	return []dedup.Segment{{
		Path:    s.Path,
		Dims:    s.Dims,
		ReadIDs: func(use func(segment.IDs) error) error { return t.readIDs(s, use) },
		Without: func() (dedup.Records, error) { return t.forgottenRecords(s) },
	}}
}

// readIDs calls use with the ID index of the segment, part by part.
func (t *Tree) readIDs(s Segment, use func(segment.IDs) error) error {
	// An old file is read whole, and its IDs are computed.
	if !s.Seekable() {
		return t.Salvage(s, true, func(_ []byte, ids segment.IDs) error { return use(ids) })
	}

	file, ix, err := t.Index(s)
	if err != nil {
		return err
	}
	defer file.Close()

	ids, err := ix.IDs(file)
	if err != nil {
		return InFile(s.Path, err)
	}
	return ids.Each(use)
}

// IDs returns the IDs of all records of a segment, with the times of receipt.
func (t *Tree) IDs(s Segment) (all segment.IDs, err error) {
	if s.InColumns() {
		file, f, err := t.openColumnsFile(s)
		if err != nil {
			return all, err
		}
		defer file.Close()
		for number, group := range f.Info().Groups {
			if err := appendIDs(&all, f.Group(number), 0, group.Rows); err != nil {
				return all, err
			}
		}
		return all, nil
	}

	err = t.readIDs(s, func(ids segment.IDs) error {
		for record := range ids.Len() {
			all.Add(ids.At(record))
		}
		return nil
	})
	return all, err
}
