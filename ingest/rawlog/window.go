package rawlog

import "io"

// readChunk is how much is requested of the source at once.
const readChunk = 256 << 10

// window is the part of a source that a Reader looks at. It stands in the place of a
// bufio.Reader, whose Peek cannot return more than its buffer: an entry may have any
// size up to MaxBodyLimit, and its body is returned where it lies. TestReader reads
// through it byte by byte and in chunks; BenchmarkReader has its speed. 2026-11-28.
type window struct {
	src io.Reader
	err error // what src returned last: io.EOF at its end
	off int64 // of buf[lo] in the file

	buf    []byte // buf[lo:hi] is what has been read and not consumed
	lo, hi int
}

// unread returns what is buffered, at least a byte unless isEmpty.
func (w *window) unread() []byte { return w.buf[w.lo:w.hi] }

func (w *window) isEmpty() bool { return w.lo == w.hi }

// peek returns what is buffered, at least n bytes unless the source ends or
// fails before. It is valid until the next peek.
func (w *window) peek(n int) []byte {
	for w.hi-w.lo < n && w.err == nil {
		if w.hi == len(w.buf) || len(w.buf)-w.lo < n {
			w.makeRoom(n)
		}
		got, err := w.src.Read(w.buf[w.hi:])
		w.hi += got
		w.err = err
	}
	return w.buf[w.lo:w.hi]
}

// makeRoom moves what is buffered to the front of a buffer with room for n bytes, the
// present one if it is large enough.
func (w *window) makeRoom(n int) {
	to := w.buf
	if len(to) < max(n, readChunk) || w.lo == 0 {
		to = make([]byte, max(2*len(w.buf), n, readChunk))
	}
	w.hi = copy(to, w.buf[w.lo:w.hi])
	w.buf = to
	w.lo = 0
}

// consume moves on by n bytes, which are buffered.
func (w *window) consume(n int) {
	w.lo += n
	w.off += int64(n)
}

// plausible says whether a complete entry of that version with believable lengths
// begins i bytes from here.
func (w *window) plausible(at, version, maxBody int) (entryHeader, bool) {
	fixed := fixedBytes[version]
	head := w.peek(at + fixed)
	if len(head) < at+fixed {
		return entryHeader{}, false
	}

	// An entry that was cut short is not plausible.
	header, ok := parseEntryHeader(head[at:], version, maxBody)
	return header, ok && len(w.peek(at+header.size())) >= at+header.size()
}
