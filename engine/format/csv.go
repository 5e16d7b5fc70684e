package format

import (
	"bufio"
	"bytes"
	"io"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
)

// csv writes RFC 4180 with plain newlines; null and undefined are an empty field.
type csv struct {
	w       *bufio.Writer
	columns []string
	cells   []cell
	buf     []byte
}

var _ engine.Sink = (*csv)(nil)

func openCSV(w io.Writer, columns []string, _ string) (engine.Sink, error) {
	sink := &csv{w: bufio.NewWriterSize(w, writeBytes), columns: columns}
	if columns == nil {
		return sink, nil
	}

	// The names are a row like any other.
	for i, name := range columns {
		sink.cells = append(sink.cells, cell{named, i, datum.AppendString(nil, name)})
	}
	return sink, sink.write()
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
	row := c.buf[:0]
	for i, cell := range c.cells {
		if i > 0 {
			row = append(row, ',')
		}
		row = appendQuoted(row, cell.datum)
	}

	c.buf = append(row, '\n')
	_, err := c.w.Write(c.buf)
	return err
}

// appendQuoted appends the text of a field, in quotes where CSV needs them.
func appendQuoted(dst, field []byte) []byte {
	start := len(dst)
	dst = datum.AppendText(dst, field)
	if !bytes.ContainsAny(dst[start:], ",\"\r\n") {
		return dst
	}

	// RFC 4180: quotes around the field, and each quote inside it twice.
	doubled := bytes.ReplaceAll(dst[start:], []byte(`"`), []byte(`""`))
	return append(append(append(dst[:start], '"'), doubled...), '"')
}

// CSVRecord implements engine.Sink.
func (c *csv) CSVRecord(array []byte) error { return c.Record(array) }

// Line implements engine.Sink: the script formats it.
func (c *csv) Line(text []byte) error {
	c.w.Write(text) // a bufio.Writer returns its first error again
	return c.w.WriteByte('\n')
}

// EndPreamble implements engine.Sink.
func (c *csv) EndPreamble() error { return nil }

// Separators implements engine.Sink: CSV has its own.
func (c *csv) Separators(string, string) error { return nil }

// Close implements engine.Sink.
func (c *csv) Close() error { return c.w.Flush() }
