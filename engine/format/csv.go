package format

import (
	"bufio"
	"bytes"
	"io"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
)

// csv writes RFC 4180 with plain newlines; null is an empty field.
type csv struct {
	w       *bufio.Writer
	columns []string
	cells   []cell
	buf     []byte
}

var _ engine.Sink = (*csv)(nil)

func newCSV(w io.Writer, columns []string) (*csv, error) {
	c := &csv{w: bufio.NewWriterSize(w, 64<<10), columns: columns}
	for i, name := range columns {
		c.cells = append(c.cells, cell{named, i, datum.AppendString(nil, name)})
	}
	if columns == nil {
		return c, nil
	}
	return c, c.write()
}

// Row implements engine.Sink.
func (c *csv) Row(k, v []byte) error {
	c.cells = appendRow(c.cells[:0], k, v, c.columns)
	return c.write()
}

// Record implements engine.Sink.
func (c *csv) Record(array []byte) error {
	c.cells = appendRecord(c.cells[:0], array, c.columns)
	return c.write()
}

func (c *csv) write() error {
	b := c.buf[:0]
	for i, cell := range c.cells {
		if i > 0 {
			b = append(b, ',')
		}
		if len(cell.datum) == 0 || datum.Kind(cell.datum[0]) == datum.Null {
			continue
		}
		start := len(b)
		b = datum.AppendText(b, cell.datum)
		if bytes.ContainsAny(b[start:], ",\"\r\n") {
			quoted := bytes.ReplaceAll(b[start:], []byte(`"`), []byte(`""`))
			b = append(append(append(b[:start], '"'), quoted...), '"')
		}
	}
	c.buf = append(b, '\n')
	_, err := c.w.Write(c.buf)
	return err
}

// Line implements engine.Sink: the script formats it.
func (c *csv) Line(text []byte) error {
	c.w.Write(text)
	return c.w.WriteByte('\n')
}

// Separators implements engine.Sink: CSV has its own.
func (c *csv) Separators(string, string) error { return nil }

// Close implements engine.Sink.
func (c *csv) Close() error { return c.w.Flush() }
