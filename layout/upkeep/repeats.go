package upkeep

import (
	"bytes"
	"context"
	"path"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// repeats finds the records of a partition that come twice: the same line, with its ID. A
// server drops what it received twice before it publishes (package dedup); what two servers
// received meets for the first time when their segments are merged. A nil one finds nothing.
//
// Its memory is bounded, but for a bit for each record: what exceeds that is in files.
type repeats struct {
	shared *dedup.Duplicates // records whose ID another one has
	lines  *dedup.Lines      // of those among them that came so far
	found  int64
}

// comparedBytes is what a record takes while IDs are compared.
const comparedBytes = 40

// newRepeats returns what finds the repeats among the records of segments; nil if no two have
// the same ID. So many IDs, and half as many lines, are in memory. The caller closes it.
func newRepeats(ctx context.Context, segments []dedup.Segment, scratch *backend.Disk, maxIDs int) (*repeats, error) {
	// What is in the folder for segments in the making is removed after each batch.
	folder := path.Dir(layout.CompactDir)
	shared, err := dedup.Shared(ctx, segments, dedup.Options{WorkDir: path.Join(scratch.Root.Name(), folder), MemoryBytes: maxIDs * comparedBytes})
	if err != nil || shared.Dropped == 0 {
		return nil, err
	}
	return &repeats{shared: shared, lines: dedup.NewLines(scratch.Root, path.Join(folder, "lines"), max(1, maxIDs/2))}, nil
}

// count returns how many repeats were found so far.
func (r *repeats) count() int64 {
	if r == nil {
		return 0
	}
	return r.found
}

func (r *repeats) close() {
	if r != nil {
		r.lines.Close() // its file has no name: an error loses nothing
	}
}

// is says whether a record repeats one that came before: the record with that number in what
// package dedup compared under that path.
func (r *repeats) is(compared string, record int, line []byte) (bool, error) {
	// Few IDs come twice, so most lines are not hashed.
	if r == nil || !r.shared.Of(compared).Has(record) {
		return false, nil
	}

	known, err := r.lines.Add(bytes.TrimSuffix(line, []byte("\n")))
	if known {
		r.found++
	}
	return known, err
}

// leaveOut returns the lines and the IDs of the records that repeat no other; the first has
// that number in the segment. Lines are changed in place.
func (r *repeats) leaveOut(compared string, first int, lines []byte, ids segment.IDs) ([]byte, segment.IDs, error) {
	if r == nil || r.shared.Of(compared) == nil {
		return lines, ids, nil
	}

	kept := lines[:0]
	var keptIDs segment.IDs
	record := 0
	for line := range bytes.Lines(lines) {
		repeated, err := r.is(compared, first+record, line)
		if err != nil {
			return nil, ids, err
		}
		if !repeated {
			kept = append(kept, line...)
			keptIDs.Append(ids.Slice(record, record+1))
		}
		record++
	}
	return kept, keptIDs, nil
}

// findRepeats prepares the search in the segments of a merge.
func (p *packer) findRepeats(ctx context.Context, t *layout.Tree, scratch *backend.Disk) (err error) {
	if !p.m.dropRepeats || len(p.m.in) == 0 || p.m.in[0].Quarantined {
		return nil
	}

	var all []dedup.Segment
	for _, seg := range p.m.in {
		all = append(all, t.Compared(seg)...)
	}
	p.m.repeats, err = newRepeats(ctx, all, scratch, p.m.maxIDs)
	return err
}

// findRepeats prepares the search in a partition: among its rows, the columns that are merged
// with them, and those that stay as they are, of which nothing is left out.
func (b *dayBuild) findRepeats(ctx context.Context, dims schema.Dims, rows []layout.Segment) (err error) {
	b.repeats = nil
	if !b.c.o.DropRepeats {
		return nil
	}

	var all []dedup.Segment
	add := func(seg layout.Segment, stays bool) {
		for _, compared := range b.c.t.Compared(seg) {
			if compared.Dims != dims {
				continue
			}

			readIDs := compared.ReadIDs
			compared.ReadIDs = func(use func(segment.IDs) error) error {
				b.reading = seg
				err := readIDs(use)

				// Damage in what is not merged is for others to report; its records are no
				// repeats then.
				if stays && layout.IsDamage(err) {
					return nil
				}
				return err
			}
			all = append(all, compared)
		}
	}
	for _, seg := range rows {
		add(seg, false)
	}
	for _, seg := range b.d.columns {
		add(seg, false)
	}
	for _, seg := range b.d.others {
		add(seg, true)
	}

	b.repeats, err = newRepeats(ctx, all, b.c.site.scratch(), b.c.o.maxIDs())
	if b.repeats == nil || err != nil {
		return err
	}
	for _, seg := range b.d.others {
		if err := b.addLines(seg, dims); err != nil && !layout.IsDamage(err) {
			return err
		}
	}
	return nil
}

// addLines adds the lines that a segment in columns, which stays, has of a partition and that
// may be repeated.
func (b *dayBuild) addLines(seg layout.Segment, dims schema.Dims) error {
	var line []byte
	for _, part := range seg.Parts {
		shared := b.repeats.shared.Of(layout.PartPath(seg.Path, part))
		if part.Dims != dims || shared == nil {
			continue
		}
		group, err := b.c.t.ColumnGroup(seg, part.Group)
		if err != nil {
			return err
		}

		for row := part.Lo; row < part.Hi; row++ {
			if !shared.Has(row - part.Lo) {
				continue
			}
			line, err = group.AppendLine(line[:0], row)
			if err != nil {
				return err
			}
			if _, err := b.repeats.lines.Add(line); err != nil {
				return err
			}
		}
	}
	return nil
}
