package engine

import (
	"bufio"
	"bytes"
	"io"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// TSV is the Sink of tables: key, field separator, value, record separator. The
// elements of an array key are columns. A tab, newline or carriage return inside
// a field is written as \t, \n, \r, so that a row stays a row.
type TSV struct {
	w             *bufio.Writer
	field, record string
	buf           []byte
}

var _ Sink = (*TSV)(nil)

// NewTSV returns a TSV that writes to w.
func NewTSV(w io.Writer) *TSV {
	return &TSV{w: bufio.NewWriterSize(w, 64<<10), field: "\t", record: "\n"}
}

// Row implements Sink.
func (t *TSV) Row(key, value []byte) error {
	t.buf = t.buf[:0]
	if len(key) > 0 && datum.Kind(key[0]) == datum.Array {
		for e := range datum.Elements(key) {
			t.buf = append(t.appendField(t.buf, e), t.field...)
		}
	} else {
		t.buf = append(t.appendField(t.buf, key), t.field...)
	}
	t.buf = append(t.appendField(t.buf, value), t.record...)
	_, err := t.w.Write(t.buf)
	return err
}

func (t *TSV) appendField(b, d []byte) []byte {
	start := len(b)
	b = datum.AppendText(b, d)
	if !bytes.ContainsAny(b[start:], "\t\n\r") {
		return b
	}
	text := bytes.Clone(b[start:])
	b = b[:start]
	for _, c := range text {
		switch c {
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// Line implements Sink.
func (t *TSV) Line(text []byte) error {
	t.w.Write(text)
	_, err := t.w.WriteString(t.record)
	return err
}

// Record implements Sink: a line of CSV, whatever the separators are.
func (t *TSV) Record(columns []byte) error {
	t.buf = appendCSV(t.buf[:0], columns)
	_, err := t.w.Write(t.buf)
	return err
}

// Separators implements Sink.
func (t *TSV) Separators(field, record string) error {
	t.field, t.record = field, record
	return nil
}

// Close implements Sink.
func (t *TSV) Close() error { return t.w.Flush() }

// appendCSV appends an array as one line of RFC 4180: CRLF, quotes where needed.
func appendCSV(b, columns []byte) []byte {
	first := true
	for e := range datum.Elements(columns) {
		if !first {
			b = append(b, ',')
		}
		first = false
		start := len(b)
		b = datum.AppendText(b, e)
		if bytes.ContainsAny(b[start:], ",\"\r\n") {
			quoted := bytes.ReplaceAll(b[start:], []byte(`"`), []byte(`""`))
			b = append(append(append(b[:start], '"'), quoted...), '"')
		}
	}
	return append(b, "\r\n"...)
}
