package layout

import (
	"bytes"
	"io"
	"io/fs"

	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/forget"
)

// Reader returns the lines of a segment, or of some of its frames. It belongs to one
// goroutine.
type Reader struct {
	path string
	file io.Closer
	next lines
	err  error

	drop   dedup.Records // to leave out
	record int           // number of the next one in the segment; counted only with drop

	forgotten   *forget.Set // whose records are left out
	quarantined bool
	clients     []forget.ID // memory

	columns *columnReader // of a segment in columns, instead of next
}

// lines is what a segment is read by: its frames, or its text from end to end.
type lines interface {
	Next() ([]byte, error)
	Close() error
}

// Next returns the lines of the next frame, `<id>\t<json>\n` each and at least one,
// valid until the next call. A file without frames is returned in parts of about 1
// MiB. After the last one it returns io.EOF, and for damaged or truncated data a
// *CorruptError; then it goes on returning that.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.columns != nil {
		return r.columnLines()
	}

	for {
		lines, err := r.next.Next()
		if err != nil && err != io.EOF {
			err = InFile(r.path, err)
		}
		if err != nil {
			r.err = err
			return nil, err
		}

		// All lines of a frame may be duplicates; then the next frame follows.
		if r.drop != nil || r.forgotten.Len() > 0 {
			lines = r.withoutDropped(lines)
		}
		if len(lines) > 0 {
			return lines, nil
		}
	}
}

// Close releases the Reader. It may be called twice.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}

	// What Next returned before is no longer valid: its buffers get another reader.
	if r.next != nil {
		r.next.Close()
	}
	err := r.file.Close()

	r.file = nil
	r.err = fs.ErrClosed
	return err
}

// Skip makes the Reader leave out the duplicates. Call it before Next.
func (r *Reader) Skip(found *dedup.Duplicates) {
	if r.columns != nil {
		r.columns.drop = found
		return
	}
	r.drop = found.Of(r.path)
}

// withoutDropped removes the lines of duplicates and of forgotten clients, in place.
func (r *Reader) withoutDropped(b []byte) []byte {
	// kept is never longer than what was read, so it can use the same memory.
	kept := b[:0]
	for line := range bytes.Lines(b) {
		record := r.record
		r.record++
		if !r.drop.Has(record) && !r.isForgotten(line) {
			kept = append(kept, line...)
		}
	}
	return kept
}
