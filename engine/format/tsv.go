package format

import (
	"bufio"
	"bytes"
	"io"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
)

// writeBytes is how much text a format collects before it writes.
const writeBytes = 64 << 10

// tsv writes key, field separator, value, record separator. The elements of an array
// key are columns. A tab, newline, carriage return or backslash inside a field is written
// as \t, \n, \r or \\, so that a row stays a row and a reader can undo it.
type tsv struct {
	w             *bufio.Writer
	named         bool // a line of names comes first
	field, record string
	buf           []byte
}

var _ engine.Sink = (*tsv)(nil)

// NewTSV returns a Sink that writes TSV without a line of names to w.
func NewTSV(w io.Writer) engine.Sink { return newTSV(w) }

func newTSV(w io.Writer) *tsv {
	return &tsv{w: bufio.NewWriterSize(w, writeBytes), field: "\t", record: "\n"}
}

func openTSV(w io.Writer, columns []string, _ string) (engine.Sink, error) {
	sink := newTSV(w)
	if columns == nil {
		return sink, nil
	}

	// The names are a row like any other.
	sink.named = true
	names := datum.AppendKind(nil, datum.Array)
	for _, name := range columns {
		names = datum.AppendString(names, name)
	}
	return sink, sink.Record(datum.AppendKind(names, datum.End))
}

// Row implements engine.Sink.
func (t *tsv) Row(key, value []byte) error {
	// The elements of an array key are cells of their own, as in the other formats.
	t.buf = t.buf[:0]
	if isArray(key) {
		for element := range datum.Elements(key) {
			t.buf = append(appendEscaped(t.buf, element), t.field...)
		}
	} else {
		t.buf = append(appendEscaped(t.buf, key), t.field...)
	}

	t.buf = append(appendEscaped(t.buf, value), t.record...)
	_, err := t.w.Write(t.buf)
	return err
}

// appendEscaped appends the text of a field without tabs and ends of lines; backslashes are doubled.
func appendEscaped(dst, field []byte) []byte {
	start := len(dst)
	dst = datum.AppendText(dst, field)

	// Nearly always there is nothing to escape.
	if !bytes.ContainsAny(dst[start:], "\t\n\r\\") {
		return dst
	}

	// Write it again, with escapes.
	text := bytes.Clone(dst[start:])
	dst = dst[:start]
	for _, char := range text {
		switch char {
		case '\t':
			dst = append(dst, `\t`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\\':
			dst = append(dst, `\\`...)
		default:
			dst = append(dst, char)
		}
	}
	return dst
}

// Line implements engine.Sink.
func (t *tsv) Line(text []byte) error {
	t.w.Write(text) // a bufio.Writer returns its first error again
	_, err := t.w.WriteString(t.record)
	return err
}

// Record implements engine.Sink.
func (t *tsv) Record(columns []byte) error {
	t.buf = t.buf[:0]
	separator := ""
	for element := range datum.Elements(columns) {
		t.buf = appendEscaped(append(t.buf, separator...), element)
		separator = t.field
	}

	t.buf = append(t.buf, t.record...)
	_, err := t.w.Write(t.buf)
	return err
}

// CSVRecord implements engine.Sink: a line of CSV with CRLF, as RFC 4180 ends it,
// whatever the separators are. Below a line of names it is a row like any other, because
// a file has one format.
func (t *tsv) CSVRecord(columns []byte) error {
	if t.named {
		return t.Record(columns)
	}

	t.buf = t.buf[:0]
	separator := ""
	for element := range datum.Elements(columns) {
		t.buf = appendQuoted(append(t.buf, separator...), element)
		separator = ","
	}

	t.buf = append(t.buf, "\r\n"...)
	_, err := t.w.Write(t.buf)
	return err
}

// EndPreamble implements engine.Sink.
func (t *tsv) EndPreamble() error { return nil }

// Separators implements engine.Sink.
func (t *tsv) Separators(field, record string) error {
	t.field, t.record = field, record
	return nil
}

// Close implements engine.Sink.
func (t *tsv) Close() error { return t.w.Flush() }
