package engine

import (
	"bytes"
	"strconv"

	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Record is one record of a task's input: a line, or a row of a segment in columns, of
// which only what is asked for is read. It is valid until Mapper.Map returns.
type Record struct {
	line  []byte
	group *columns.Group // nil: the record is a line
	row   int
	part  int    // of the segment's Parts; -1: all records have the segment's Dims
	buf   []byte // of a line that was put together
	whole bool   // line is there
}

// LineRecord returns a record that is a line `<id>\t<json>`, without its newline.
func LineRecord(line []byte) *Record { return &Record{line: line, part: -1, whole: true} }

// setLine makes the record one that is a line, of a part of the segment or -1.
func (r *Record) setLine(line []byte, part int) {
	r.line = line
	r.whole = true
	r.group = nil
	r.part = part
}

// setRow makes the record a row of a group. One that is not in columns is a line.
func (r *Record) setRow(group *columns.Group, row, part int) error {
	odd, err := group.Odd(row)
	if err != nil {
		return err
	}
	if odd != nil {
		r.setLine(odd, part)
		return nil
	}

	r.group = group
	r.row = row
	r.part = part
	r.whole = false
	return nil
}

// Line returns the line `<id>\t<json>`. Of a row this reads all columns.
func (r *Record) Line() (_ []byte, err error) {
	if !r.whole {
		r.buf, err = r.group.AppendLine(r.buf[:0], r.row)
		if err != nil {
			return nil, err
		}
		r.line = r.buf
		r.whole = true
	}
	return r.line, nil
}

// ID returns the document ID, and whether the record has one: else it is a line without
// a tab.
func (r *Record) ID() (id []byte, ok bool, err error) {
	if r.group != nil {
		id, err = r.group.ID(r.row)
		return id, true, err
	}

	id, _, ok = bytes.Cut(r.line, []byte("\t"))
	return id, ok, nil
}

// Text returns the JSON text. Of a row this reads all columns.
func (r *Record) Text() ([]byte, error) {
	line, err := r.Line()
	_, text, _ := bytes.Cut(line, []byte("\t"))
	return text, err
}

// Columns returns the row that the record is; nil if it is a line.
func (r *Record) Columns() (group *columns.Group, row int) { return r.group, r.row }

// Part is the index in Parts of the task's segment, -1 if the segment has none.
func (r *Record) Part() int { return r.part }

// DimsOf returns the dimensions of a record of the task.
func (t *Task) DimsOf(r *Record) schema.Dims {
	if r.part < 0 {
		return t.Segment.Dims
	}
	return t.Segment.Parts[r.part].Dims
}

// AppendStreamLine appends the line of a record to a stream of the task's records, as
// MapStream reads them: of a segment with Parts, the number of the part goes before it.
func AppendStreamLine(dst []byte, r *Record) ([]byte, error) {
	line, err := r.Line()
	if err != nil {
		return dst, err
	}
	if r.part >= 0 {
		dst = appendPart(dst, r.part)
	}
	return append(append(dst, line...), '\n'), nil
}

// appendPart appends what a line of a stream begins with if it belongs to a part.
func appendPart(dst []byte, part int) []byte {
	return append(strconv.AppendInt(dst, int64(part), 10), '\t')
}

// cutPart cuts the number of the part from a line of a stream.
func cutPart(line []byte, parts int) (part int, rest []byte, ok bool) {
	number, rest, ok := bytes.Cut(line, []byte("\t"))
	if !ok {
		return 0, line, false
	}

	part, err := strconv.Atoi(string(number))
	return part, rest, err == nil && part >= 0 && part < parts
}
