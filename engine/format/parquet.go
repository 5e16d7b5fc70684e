package format

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	pq "github.com/parquet-go/parquet-go"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
)

// rowGroupRows bounds what of the file is in memory while it is written.
const rowGroupRows = 64 << 10

// parquet keeps the rows in a temporary file until Close: only then is known
// which columns there are and of what type.
type parquet struct {
	w       io.Writer
	columns []string
	dir     string

	cols  []*pqColumn
	cells []cell
	spool *os.File // each row: uvarint cells, then per cell uvarint column, uvarint length, datum
	buf   *bufio.Writer
	rows  int64
}

// pqColumn is a column while its rows come in.
type pqColumn struct {
	cell  cell // its class and index
	seen  [datum.Object + 1]bool
	float bool // a number that is no integer
	place int  // in the file
	json  bool
	text  bool
}

var _ engine.Sink = (*parquet)(nil)

func newParquet(w io.Writer, columns []string, dir string) *parquet {
	return &parquet{w: w, columns: columns, dir: dir}
}

// Row implements engine.Sink.
func (p *parquet) Row(k, v []byte) error {
	p.cells = appendRow(p.cells[:0], k, v, p.columns)
	return p.put()
}

// Record implements engine.Sink.
func (p *parquet) Record(array []byte) error {
	p.cells = appendRecord(p.cells[:0], array, p.columns)
	return p.put()
}

// Line implements engine.Sink.
func (p *parquet) Line(text []byte) error {
	p.cells = append(p.cells[:0], cell{line, -1, datum.AppendString(nil, text)})
	return p.put()
}

// Separators implements engine.Sink: Parquet has none.
func (p *parquet) Separators(string, string) error { return nil }

func (p *parquet) put() error {
	if p.spool == nil {
		f, err := os.CreateTemp(p.dir, "tmrun-parquet-*")
		if err != nil {
			return fmt.Errorf("create spool: %w", err)
		}
		os.Remove(f.Name())
		p.spool, p.buf = f, bufio.NewWriterSize(f, 64<<10)
	}
	p.rows++
	b := binary.AppendUvarint(p.buf.AvailableBuffer(), uint64(len(p.cells)))
	for _, c := range p.cells {
		b = binary.AppendUvarint(b, uint64(p.column(c)))
		b = append(binary.AppendUvarint(b, uint64(len(c.datum))), c.datum...)
	}
	if _, err := p.buf.Write(b); err != nil {
		return fmt.Errorf("spool rows to %s: %w", p.dir, err)
	}
	return nil
}

// column notes what c holds and returns the index of its column.
func (p *parquet) column(c cell) int {
	i := slices.IndexFunc(p.cols, func(col *pqColumn) bool { return col.cell.class == c.class && col.cell.index == c.index })
	if i < 0 {
		i = len(p.cols)
		p.cols = append(p.cols, &pqColumn{cell: cell{class: c.class, index: c.index}})
	}
	col, kind := p.cols[i], datum.Null
	if len(c.datum) > 0 {
		kind = datum.Kind(c.datum[0])
	}
	col.seen[kind] = true
	if kind == datum.Number {
		f := datum.Float(c.datum)
		col.float = col.float || f != math.Trunc(f) || math.Abs(f) > 1<<53
	}
	return i
}

// node decides the column's type: every column may be null.
func (c *pqColumn) node() pq.Node {
	boolean := c.seen[datum.False] || c.seen[datum.True]
	kinds := 0
	for _, k := range []bool{boolean, c.seen[datum.Number], c.seen[datum.String]} {
		if k {
			kinds++
		}
	}
	switch {
	case c.seen[datum.Array] || c.seen[datum.Object]:
		c.json = true
		return pq.Optional(pq.JSON())
	case kinds != 1 || c.seen[datum.String]:
		c.text = true
		return pq.Optional(pq.String())
	case boolean:
		return pq.Optional(pq.Leaf(pq.BooleanType))
	case c.float:
		return pq.Optional(pq.Leaf(pq.DoubleType))
	}
	return pq.Optional(pq.Int(64))
}

// value returns d as the column's type has it, or null.
func (c *pqColumn) value(d []byte) pq.Value {
	if len(d) == 0 || datum.Kind(d[0]) == datum.Null {
		return pq.NullValue()
	}
	switch {
	case c.json:
		return pq.ByteArrayValue(datum.AppendJSON(nil, d))
	case c.text:
		return pq.ByteArrayValue(datum.AppendText(nil, d))
	case datum.Kind(d[0]) != datum.Number:
		return pq.BooleanValue(datum.Kind(d[0]) == datum.True)
	case c.float:
		return pq.DoubleValue(datum.Float(d))
	}
	return pq.Int64Value(int64(datum.Float(d)))
}

// group is a schema's root whose columns have an order; parquet-go sorts by name.
type group struct {
	pq.Group
	order []string
}

func (g group) Fields() []pq.Field {
	f := g.Group.Fields()
	slices.SortFunc(f, func(a, b pq.Field) int {
		return cmp.Compare(slices.Index(g.order, a.Name()), slices.Index(g.order, b.Name()))
	})
	return f
}

// Close implements engine.Sink: it writes the file.
func (p *parquet) Close() error {
	if p.spool != nil {
		defer p.spool.Close()
		if err := p.buf.Flush(); err != nil {
			return fmt.Errorf("spool rows to %s: %w", p.dir, err)
		}
		if _, err := p.spool.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read spooled rows: %w", err)
		}
	}
	for i := range p.columns { // also those that no row has
		p.column(cell{class: named, index: i})
	}
	if len(p.cols) == 0 { // a file must have columns
		p.column(cell{class: key, index: -1})
		p.column(cell{class: value, index: -1})
	}
	order := slices.SortedStableFunc(slices.Values(p.cols), func(a, b *pqColumn) int {
		return cmp.Or(cmp.Compare(a.cell.class, b.cell.class), cmp.Compare(a.cell.index, b.cell.index))
	})
	root := group{Group: pq.Group{}}
	for i, c := range order {
		c.place = i
		name := c.cell.name(p.columns)
		for root.Group[name] != nil { // a script's name that is like one of ours
			name += "_"
		}
		root.Group[name] = c.node()
		root.order = append(root.order, name)
	}
	w := pq.NewGenericWriter[any](p.w, pq.NewSchema("rows", root), pq.Compression(&pq.Zstd), pq.MaxRowsPerRowGroup(rowGroupRows))
	if err := p.copyRows(w, len(order)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

// copyRows moves the rows from the spool to w.
func (p *parquet) copyRows(w *pq.GenericWriter[any], columns int) error {
	br := bufio.NewReaderSize(p.spool, 256<<10)
	row := make(pq.Row, columns)
	var d []byte
	for range p.rows {
		for i := range row {
			row[i] = pq.NullValue().Level(0, 0, i)
		}
		n, err := binary.ReadUvarint(br)
		for range n {
			var at, size uint64
			if at, err = binary.ReadUvarint(br); err != nil {
				break
			}
			if size, err = binary.ReadUvarint(br); err != nil {
				break
			}
			d = slices.Grow(d[:0], int(size))[:size]
			if _, err = io.ReadFull(br, d); err != nil {
				break
			}
			c := p.cols[at]
			if v := c.value(d); !v.IsNull() {
				row[c.place] = v.Level(0, 1, c.place)
			}
		}
		if err != nil {
			return fmt.Errorf("read spooled rows: %w", err)
		}
		if _, err := w.WriteRows([]pq.Row{row}); err != nil {
			return fmt.Errorf("write Parquet: %w", err)
		}
	}
	return nil
}
