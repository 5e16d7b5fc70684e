package layout

import (
	"fmt"
	"path"
	"strconv"
)

// attachment is a file that is not a segment and that a Commit puts in place too.
type attachment struct {
	w      *Writer
	staged string
	final  string
	buf    []byte
	late   func(paths []string) ([]byte, error) // the content; nil: what Write gets
	err    error
}

// attachBuffer is how much of an attachment is gathered before it is written.
const attachBuffer = 256 << 10

// Attach stages a file that Commit puts at name, relative to the data folder,
// together with the segments, replacing what is there: a raw log of submissions that
// wait, or statistics. What is written to the result is copied; Commit returns an error
// of its Write too. It belongs to the Writer's goroutine.
func (w *Writer) Attach(name string) *attachment {
	a := &attachment{w: w, staged: path.Join(w.dir, "attached"+strconv.Itoa(len(w.attached))), final: name}
	w.attached = append(w.attached, a)
	return a
}

// AttachLate is Attach for a file whose content depends on where the commit publishes:
// content gets the paths of all segments, in order.
func (w *Writer) AttachLate(name string, content func(paths []string) ([]byte, error)) {
	w.Attach(name).late = content
}

// Write implements io.Writer.
func (a *attachment) Write(b []byte) (int, error) {
	a.buf = append(a.buf, b...)

	if len(a.buf) >= attachBuffer {
		a.flush()
	}
	return len(b), a.err
}

// flush appends what was gathered to the staged file. After an error it does nothing more.
func (a *attachment) flush() {
	if a.err == nil {
		a.err = a.w.d.folder.Append(a.staged, a.buf)
	}

	a.buf = a.buf[:0]
}

// Release writes what was gathered and frees the memory for it, when nothing more, or
// nothing soon, will be written.
func (a *attachment) Release() {
	a.flush()
	a.buf = nil
}

// finish makes the staged file durable. The paths are those of the segments that the
// commit publishes.
func (a *attachment) finish(paths []string) error {
	if a.late != nil {
		a.buf, a.err = a.late(paths)
	}
	a.flush()
	if a.err == nil {
		a.err = a.w.d.folder.Sync(a.staged)
	}

	if a.err != nil {
		return fmt.Errorf("attach %s: %w", a.final, a.err)
	}
	return nil
}

// Supersede makes Commit remove a file, relative to the data folder, whose
// records the published segments hold from then on. It need not exist; it stays if
// Commit puts a segment in its place.
func (w *Writer) Supersede(name string) { w.remove = append(w.remove, name) }
