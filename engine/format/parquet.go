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
	seen  [datum.Histogram + 1]bool
	float bool // a number that is no integer
	place int  // in the file
	json  bool
	text  bool
}

var _ engine.Sink = (*parquet)(nil)

func openParquet(w io.Writer, columns []string, dir string) (engine.Sink, error) {
	return &parquet{w: w, columns: columns, dir: dir}, nil
}

// Row implements engine.Sink.
func (p *parquet) Row(k, v []byte) error {
	p.cells = appendRow(p.cells[:0], k, v, p.columns)
	return p.spoolRow()
}

// Record implements engine.Sink.
func (p *parquet) Record(array []byte) error {
	p.cells = appendRecord(p.cells[:0], array, p.columns)
	return p.spoolRow()
}

// CSVRecord implements engine.Sink.
func (p *parquet) CSVRecord(array []byte) error { return p.Record(array) }

// Line implements engine.Sink.
func (p *parquet) Line(text []byte) error {
	p.cells = append(p.cells[:0], cell{line, -1, datum.AppendString(nil, text)})
	return p.spoolRow()
}

// EndPreamble implements engine.Sink.
func (p *parquet) EndPreamble() error { return nil }

// Separators implements engine.Sink: Parquet has none.
func (p *parquet) Separators(string, string) error { return nil }

// spoolRow writes the cells to the spool, and notes what their columns hold.
func (p *parquet) spoolRow() error {
	// The first row makes the file.
	if p.spool == nil {
		file, err := os.CreateTemp(p.dir, "tmrun-parquet-*")
		if err != nil {
			return fmt.Errorf("create spool: %w", err)
		}
		os.Remove(file.Name()) // the open file stays readable; nothing is left behind
		p.spool = file
		p.buf = bufio.NewWriterSize(file, writeBytes)
	}

	// The row is made in the buffer's own memory, which saves a copy.
	p.rows++
	row := binary.AppendUvarint(p.buf.AvailableBuffer(), uint64(len(p.cells)))
	for _, field := range p.cells {
		row = binary.AppendUvarint(row, uint64(p.column(field)))
		row = append(binary.AppendUvarint(row, uint64(len(field.datum))), field.datum...)
	}

	if _, err := p.buf.Write(row); err != nil {
		return fmt.Errorf("spool rows to %s: %w", p.dir, err)
	}
	return nil
}

// column notes what a field holds and returns the index of its column.
func (p *parquet) column(field cell) int {
	at := slices.IndexFunc(p.cols, func(col *pqColumn) bool { return col.cell.class == field.class && col.cell.index == field.index })
	if at < 0 {
		at = len(p.cols)
		p.cols = append(p.cols, &pqColumn{cell: cell{class: field.class, index: field.index}})
	}

	col := p.cols[at]
	kind := datum.Null
	if len(field.datum) > 0 {
		kind = datum.Kind(field.datum[0])
	}
	col.seen[kind] = true

	// Integers that a double holds exactly fit an INT64 column; others make it DOUBLE.
	if kind == datum.Number {
		number := datum.Float(field.datum)
		col.float = col.float || number != math.Trunc(number) || math.Abs(number) > 1<<53
	}
	return at
}

// node decides the column's type: every column may be null.
func (c *pqColumn) node() pq.Node {
	boolean := c.seen[datum.False] || c.seen[datum.True]

	// Booleans are two kinds of datum, but one type.
	kinds := 0
	for _, seen := range []bool{boolean, c.seen[datum.Number], c.seen[datum.String]} {
		if seen {
			kinds++
		}
	}

	switch {
	case c.seen[datum.Array] || c.seen[datum.Object] || c.seen[datum.Histogram]:
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

// value returns a field as the column's type has it, or null.
func (c *pqColumn) value(field []byte) pq.Value {
	if isEmpty(field) {
		return pq.NullValue()
	}

	// The type is the one that node has decided.
	switch {
	case c.json:
		return pq.ByteArrayValue(datum.AppendJSON(nil, field))
	case c.text:
		return pq.ByteArrayValue(datum.AppendText(nil, field))
	case datum.Kind(field[0]) != datum.Number:
		return pq.BooleanValue(datum.Kind(field[0]) == datum.True)
	case c.float:
		return pq.DoubleValue(datum.Float(field))
	}
	return pq.Int64Value(int64(datum.Float(field)))
}

// group is a schema's root whose columns have an order; parquet-go sorts by name.
type group struct {
	pq.Group
	order []string
}

func (g group) Fields() []pq.Field {
	fields := g.Group.Fields()
	slices.SortFunc(fields, func(a, b pq.Field) int {
		return cmp.Compare(slices.Index(g.order, a.Name()), slices.Index(g.order, b.Name()))
	})
	return fields
}

// Close implements engine.Sink: it writes the file.
func (p *parquet) Close() error {
	// Without any row there is no spool, but there is a file.
	if p.spool != nil {
		defer p.spool.Close()
		if err := p.buf.Flush(); err != nil {
			return fmt.Errorf("spool rows to %s: %w", p.dir, err)
		}
		if _, err := p.spool.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read spooled rows: %w", err)
		}
	}

	// Only now all columns and their types are known.
	root := p.schema()
	file := pq.NewGenericWriter[any](p.w, pq.NewSchema("rows", root), pq.Compression(&pq.Zstd), pq.MaxRowsPerRowGroup(rowGroupRows))
	if err := p.copyRows(file, len(root.order)); err != nil {
		return err
	}

	if err := file.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

// schema decides names, types and places of the columns.
func (p *parquet) schema() group {
	// Named columns are in the file even if no row has them, and a file must have columns.
	for place := range p.columns {
		p.column(cell{class: named, index: place})
	}
	if len(p.cols) == 0 {
		p.column(cell{class: key, index: -1})
		p.column(cell{class: value, index: -1})
	}

	// Columns are found in any order; the file has keys first.
	order := slices.SortedStableFunc(slices.Values(p.cols), func(a, b *pqColumn) int {
		return cmp.Or(cmp.Compare(a.cell.class, b.cell.class), cmp.Compare(a.cell.index, b.cell.index))
	})

	root := group{Group: pq.Group{}}
	for place, col := range order {
		col.place = place

		// A script may name a column like one of ours.
		name := col.cell.name(p.columns)
		for root.Group[name] != nil {
			name += "_"
		}
		root.Group[name] = col.node()
		root.order = append(root.order, name)
	}
	return root
}

// copyRows moves the rows from the spool to the file.
func (p *parquet) copyRows(file *pq.GenericWriter[any], columns int) error {
	spool := bufio.NewReaderSize(p.spool, 256<<10)
	row := make(pq.Row, columns)
	var cellData []byte

	for range p.rows {
		for i := range row {
			row[i] = pq.NullValue().Level(0, 0, i)
		}

		// The row has the cells it has; the other columns stay null.
		cells, err := binary.ReadUvarint(spool)
		for ; cells > 0 && err == nil; cells-- {
			var at uint64
			at, cellData, err = readCell(spool, cellData)
			if err != nil {
				break
			}

			col := p.cols[at]
			if value := col.value(cellData); !value.IsNull() {
				row[col.place] = value.Level(0, 1, col.place)
			}
		}
		if err != nil {
			return fmt.Errorf("read spooled rows: %w", err)
		}
		if _, err := file.WriteRows([]pq.Row{row}); err != nil {
			return fmt.Errorf("write Parquet: %w", err)
		}
	}
	return nil
}

// readCell reads the index of a column, and a datum into buf, which it may replace.
func readCell(spool *bufio.Reader, buf []byte) (column uint64, data []byte, err error) {
	if column, err = binary.ReadUvarint(spool); err != nil {
		return 0, buf, err
	}
	size, err := binary.ReadUvarint(spool)
	if err != nil {
		return 0, buf, err
	}

	data = slices.Grow(buf[:0], int(size))[:size]
	_, err = io.ReadFull(spool, data)
	return column, data, err
}
