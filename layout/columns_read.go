package layout

import (
	"io"
	"slices"

	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// Block is what a Reader reads at once: lines, or some records of a row group.
type Block struct {
	Lines []byte // as Reader.Next returns them; nil: the records are in columns
	Group *columns.Group
	Part  int // index in the segment's Parts
	Rows  []int32
}

// columnReader reads the parts of a segment in columns.
type columnReader struct {
	f     *columns.File
	path  string
	parts []Part
	first int // index of the first of parts in the segment's
	next  int
	drop  *dedup.Duplicates

	forgotten *forget.Set // whose records are left out

	number int // of group
	group  *columns.Group
	rows   []int32
	buf    []byte
	block  Block // whose rows columnLines has not returned yet
}

// openColumns opens row groups of a segment in columns.
func (t *Tree) openColumns(s Segment, lo, hi int) (*Reader, error) {
	file, f, err := t.openColumnsFile(s)
	if err != nil {
		return nil, err
	}

	if hi < 0 {
		hi = len(f.Info().Groups)
	}
	reader := &columnReader{f: f, path: s.Path, number: -1}
	for i, part := range s.Parts {
		if part.Group < lo || part.Group >= hi {
			continue
		}
		if len(reader.parts) == 0 {
			reader.first = i
		}
		reader.parts = append(reader.parts, part)
	}
	return &Reader{path: s.Path, file: file, columns: reader}, nil
}

// NextBlock returns the next block, valid until the next call, or io.EOF; see Next.
// Of a segment in columns it returns records that are not read yet.
func (r *Reader) NextBlock() (Block, error) {
	if r.columns == nil || r.err != nil {
		lines, err := r.Next()
		return Block{Lines: lines}, err
	}

	block, err := r.columns.nextBlock()
	if err != nil {
		r.err = err
	}
	return block, err
}

// nextBlock returns the records of the next part that has some.
func (c *columnReader) nextBlock() (Block, error) {
	for c.next < len(c.parts) {
		part := c.parts[c.next]
		number := c.first + c.next
		c.next++

		// The columns of a group are read once, for all its parts.
		if c.number != part.Group {
			c.number = part.Group
			c.group = c.f.Group(part.Group)
		}

		var dropped dedup.Records
		if c.drop != nil {
			dropped = c.drop.Of(PartPath(c.path, part))
		}
		c.rows = c.rows[:0]
		for row := part.Lo; row < part.Hi; row++ {
			if dropped.Has(row - part.Lo) {
				continue
			}
			if c.forgotten.Len() > 0 {
				forgotten, err := rowIsForgotten(c.group, row, c.forgotten)
				if err != nil {
					return Block{}, err
				}
				if forgotten {
					continue
				}
			}
			c.rows = append(c.rows, int32(row))
		}
		if len(c.rows) > 0 {
			return Block{Group: c.group, Part: number, Rows: c.rows}, nil
		}
	}
	return Block{}, io.EOF
}

// columnLines is Next for a segment in columns.
func (r *Reader) columnLines() ([]byte, error) {
	c := r.columns
	c.buf = c.buf[:0]
	for len(c.buf) < segment.FrameBytes {
		if len(c.block.Rows) == 0 {
			block, err := c.nextBlock()
			if err == io.EOF && len(c.buf) > 0 {
				break
			}
			if err != nil {
				r.err = err
				return nil, err
			}
			c.block = block
			c.block.Rows = slices.Clone(block.Rows)
		}

		var err error
		c.buf, err = c.block.Group.AppendLine(c.buf, int(c.block.Rows[0]))
		if err != nil {
			r.err = err
			return nil, err
		}
		c.buf = append(c.buf, '\n')
		c.block.Rows = c.block.Rows[1:]
	}
	return c.buf, nil
}
