package layout

import (
	"context"

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
	var list []dedup.Segment
	for _, seg := range segments {
		if seg.Quarantined {
			continue
		}
		if seg.InColumns() {
			list = append(list, t.latestParts(seg)...)
			continue
		}
		list = append(list, dedup.Segment{
			Path:    seg.Path,
			Dims:    seg.Dims,
			ReadIDs: func(use func(segment.IDs) error) error { return t.readIDs(seg, use) },
			Without: func() (dedup.Records, error) { return t.forgottenRecords(seg) },
		})
	}

	return dedup.Latest(ctx, list, o)
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

	ids, err := ix.ReadIDs(file)
	if err != nil {
		return InFile(s.Path, err)
	}
	return use(ids)
}
