package upkeep

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// repeats finds the records of a partition that come twice: the same line, with its ID. A
// server drops what it received twice before it publishes (package dedup); what two servers
// received meets for the first time when their segments are merged. A nil one finds nothing.
type repeats struct {
	twice map[uint64]bool            // beginnings of IDs that come more than once
	lines map[[sha256.Size]byte]bool // of records with such IDs, so far
	found int64
}

// beginning is enough of an ID to find those that may be equal, in half of the memory.
func beginning(id segment.ID) uint64 { return binary.BigEndian.Uint64(id[:]) }

// newRepeats returns what finds the repeats among records, of whose IDs it gets the
// beginnings. They are sorted in place.
func newRepeats(ids []uint64) *repeats {
	r := &repeats{twice: map[uint64]bool{}, lines: map[[sha256.Size]byte]bool{}}
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			r.twice[ids[i]] = true
		}
	}
	return r
}

// is says whether a record repeats one that came before. The line may have its newline.
func (r *repeats) is(line []byte) bool {
	// Few IDs come twice, so most lines are not hashed.
	if r == nil || len(r.twice) == 0 {
		return false
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	id, _, _ := bytes.Cut(line, []byte("\t"))
	if !r.twice[beginning(segment.IDOf(id))] {
		return false
	}

	sum := sha256.Sum256(line)
	if r.lines[sum] {
		r.found++
		return true
	}
	r.lines[sum] = true
	return false
}

// leaveOut returns the lines and the IDs of the records that repeat no other. Lines are
// changed in place.
func (r *repeats) leaveOut(lines []byte, ids segment.IDs) ([]byte, segment.IDs) {
	if r == nil || len(r.twice) == 0 {
		return lines, ids
	}

	kept := lines[:0]
	var keptIDs segment.IDs
	record := 0
	for line := range bytes.Lines(lines) {
		if !r.is(line) {
			kept = append(kept, line...)
			keptIDs.Append(ids.Slice(record, record+1))
		}
		record++
	}
	return kept, keptIDs
}

// appendBeginnings adds those of a segment in rows.
func appendBeginnings(ids []uint64, t *layout.Tree, seg layout.Segment) ([]uint64, error) {
	all, err := t.IDs(seg)
	for record := range all.Len() {
		id, _ := all.At(record)
		ids = append(ids, beginning(id))
	}
	return ids, err
}

// findRepeats prepares the search in the segments of a merge.
func (p *packer) findRepeats(t *layout.Tree) error {
	if !p.m.dropRepeats || p.m.in[0].Quarantined {
		return nil
	}

	var ids []uint64
	for _, seg := range p.m.in {
		var err error
		ids, err = appendBeginnings(ids, t, seg)
		if err != nil {
			return err
		}
	}
	p.m.repeats = newRepeats(ids)
	return nil
}

// findRepeats prepares the search in a partition: among its rows, the columns that are merged
// with them, and those that stay as they are, of which nothing is left out.
func (b *dayBuild) findRepeats(dims schema.Dims, rows []layout.Segment) (err error) {
	if !b.c.o.DropRepeats {
		return nil
	}

	var ids []uint64
	for _, seg := range rows {
		b.reading = seg
		ids, err = appendBeginnings(ids, b.c.t, seg)
		if err != nil {
			return err
		}
	}
	addID := func(id, _ []byte) { ids = append(ids, beginning(segment.IDOf(id))) }
	for _, seg := range b.d.columns {
		b.reading = seg
		if err := b.eachRow(seg, dims, nil, addID); err != nil {
			return err
		}
	}

	// Damage in what is not merged is for others to report; its records are no repeats then.
	for _, seg := range b.d.others {
		if err := b.eachRow(seg, dims, nil, addID); err != nil && !layout.IsDamage(err) {
			return err
		}
	}

	b.repeats = newRepeats(ids)
	for _, seg := range b.d.others {
		err := b.eachRow(seg, dims, b.repeats.twice, func(_, line []byte) { b.repeats.lines[sha256.Sum256(line)] = true })
		if err != nil && !layout.IsDamage(err) {
			return err
		}
	}
	return nil
}

// eachRow calls do with the ID of each record that a segment in columns has of a partition;
// with of, only of these IDs, and with the line too. do must not keep them.
func (b *dayBuild) eachRow(seg layout.Segment, dims schema.Dims, of map[uint64]bool, do func(id, line []byte)) error {
	var line []byte
	for _, part := range seg.Parts {
		if part.Dims != dims || of != nil && len(of) == 0 {
			continue
		}
		group, err := b.c.t.ColumnGroup(seg, part.Group)
		if err != nil {
			return err
		}

		for row := part.Lo; row < part.Hi; row++ {
			id, err := group.ID(row)
			if err != nil {
				return err
			}
			if of != nil {
				if !of[beginning(segment.IDOf(id))] {
					continue
				}
				line, err = group.AppendLine(line[:0], row)
				if err != nil {
					return err
				}
			}
			do(id, line)
		}
	}
	return nil
}
