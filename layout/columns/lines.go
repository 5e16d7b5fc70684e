package columns

import "io"

// lineBytes is about how much Lines returns at a time.
const lineBytes = 1 << 20

// Lines reads all records of a segment as lines.
type Lines struct {
	f     *File
	next  int    // row group
	group *Group // being read, or nil
	row   int
	buf   []byte
}

// Lines returns the lines of all records, from the first.
func (f *File) Lines() *Lines { return &Lines{f: f} }

// Next returns lines, `<id>\t<json>\n` each, valid until the next call, or io.EOF.
func (l *Lines) Next() ([]byte, error) {
	l.buf = l.buf[:0]
	for len(l.buf) < lineBytes {
		// Open the next group when the one before has ended.
		if l.group == nil {
			if l.next == len(l.f.ix.Groups) {
				break
			}
			l.group = l.f.Group(l.next)
			l.next++
			l.row = 0
		}

		// Drop the group at its end, because its columns take memory.
		if l.row == l.group.Rows() {
			l.group = nil
			continue
		}

		var err error
		l.buf, err = l.group.AppendLine(l.buf, l.row)
		if err != nil {
			return nil, err
		}
		l.buf = append(l.buf, '\n')
		l.row++
	}

	if len(l.buf) == 0 {
		return nil, io.EOF
	}
	return l.buf, nil
}
