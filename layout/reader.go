package layout

import (
	"bytes"
	"io"
	"io/fs"
)

// Reader hands out the records of a segment, or of some of its frames, in
// blocks of whole lines. It belongs to one goroutine.
type Reader struct {
	path string
	file io.Closer
	next interface{ Next() ([]byte, error) }
	err  error

	drop   []uint64 // records to leave out, by number in the segment
	record int      // number of the next one; counted only with drop
}

// Next returns the next block: one or more whole lines `<id>\t<json>\n`, valid
// until the next call. It returns io.EOF after the last one and a *CorruptError
// for damaged or truncated data, and then goes on returning that.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	for {
		b, err := r.next.Next()
		if err != nil && err != io.EOF {
			err = InFile(r.path, err)
		}
		if r.err = err; err != nil {
			return nil, err
		}
		if r.drop != nil {
			b = r.withoutDuplicates(b)
		}
		if len(b) > 0 {
			return b, nil
		}
	}
}

// Close releases the Reader. It may be called twice.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	if c, ok := r.next.(io.Closer); ok {
		c.Close()
	}
	f := r.file
	r.file, r.err = nil, fs.ErrClosed
	return f.Close()
}

// Skip makes the Reader leave out the duplicates. Call it before Next.
func (r *Reader) Skip(x *Duplicates) { r.drop = x.drop[r.path] }

// withoutDuplicates removes the lines of dropped records from a block, in place.
func (r *Reader) withoutDuplicates(b []byte) []byte {
	kept := b[:0]
	for l := range bytes.Lines(b) {
		n := r.record
		r.record++
		if n/64 < len(r.drop) && r.drop[n/64]>>(n%64)&1 != 0 {
			continue
		}
		kept = append(kept, l...)
	}
	return kept
}
