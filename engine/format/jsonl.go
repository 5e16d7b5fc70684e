package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
)

// jsonl writes one JSON object per row.
type jsonl struct {
	w       *bufio.Writer
	columns []string
	cells   []cell
	buf     []byte
	names   map[class]map[int][]byte // quoted, with their colon
}

var _ engine.Sink = (*jsonl)(nil)

func openJSONL(w io.Writer, columns []string, _ string) (engine.Sink, error) {
	return &jsonl{w: bufio.NewWriterSize(w, writeBytes), columns: columns, names: map[class]map[int][]byte{}}, nil
}

// Row implements engine.Sink.
func (j *jsonl) Row(k, v []byte) error {
	j.cells = appendRow(j.cells[:0], k, v, j.columns)
	return j.write()
}

// Record implements engine.Sink.
func (j *jsonl) Record(array []byte) error {
	j.cells = appendRecord(j.cells[:0], array, j.columns)
	return j.write()
}

func (j *jsonl) write() error {
	object := append(j.buf[:0], '{')
	for i, cell := range j.cells {
		if i > 0 {
			object = append(object, ',')
		}
		object = append(object, j.name(cell)...)
		object = datum.AppendJSON(object, cell.datum)
	}

	j.buf = append(object, "}\n"...)
	_, err := j.w.Write(j.buf)
	return err
}

// name returns the name of a cell as JSON, with its colon.
func (j *jsonl) name(field cell) []byte {
	byIndex := j.names[field.class]
	if byIndex == nil {
		byIndex = map[int][]byte{}
		j.names[field.class] = byIndex
	}

	// Names are quoted once, not for each row.
	if byIndex[field.index] == nil {
		byIndex[field.index] = append(quote(field.name(j.columns)), ':')
	}
	return byIndex[field.index]
}

// CSVRecord implements engine.Sink.
func (j *jsonl) CSVRecord(array []byte) error { return j.Record(array) }

// Line implements engine.Sink: the text as it is if it is JSON, else an object.
func (j *jsonl) Line(text []byte) error {
	// One line, however the script has indented it.
	var compact bytes.Buffer
	if len(bytes.TrimSpace(text)) > 0 && json.Compact(&compact, text) == nil {
		compact.WriteByte('\n')
		_, err := j.w.Write(compact.Bytes())
		return err
	}

	j.cells = append(j.cells[:0], cell{line, -1, datum.AppendString(nil, text)})
	return j.write()
}

// EndPreamble implements engine.Sink.
func (j *jsonl) EndPreamble() error { return nil }

// Separators implements engine.Sink: JSON has none.
func (j *jsonl) Separators(string, string) error { return nil }

// Close implements engine.Sink.
func (j *jsonl) Close() error { return j.w.Flush() }
