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

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
)

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
	file, err := newParquetFile(p.w, p.order())
	if err != nil {
		return err
	}
	defer file.enc.Close()

	if err := p.copyRows(file); err != nil {
		return err
	}
	if err := file.finish(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

// order decides names, types and places of the columns.
func (p *parquet) order() []*pqColumn {
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

	taken := map[string]bool{}
	for _, col := range order {
		// A script may name a column like one of ours.
		col.name = col.cell.name(p.columns)
		for taken[col.name] {
			col.name += "_"
		}
		taken[col.name] = true
		col.decide()
	}
	return order
}

// copyRows moves the rows from the spool to the file.
func (p *parquet) copyRows(file *parquetFile) error {
	spool := bufio.NewReaderSize(p.spool, 256<<10)
	var cellData []byte

	for range p.rows {
		// The row has the cells it has; the other columns stay null.
		cells, err := binary.ReadUvarint(spool)
		for ; cells > 0 && err == nil; cells-- {
			var at uint64
			at, cellData, err = readCell(spool, cellData)
			if err != nil {
				break
			}
			file.held += p.cols[at].add(file.rows, cellData)
		}
		if err != nil {
			return fmt.Errorf("read spooled rows: %w", err)
		}
		if err := file.endRow(); err != nil {
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
