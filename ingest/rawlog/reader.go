package rawlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Reader reads the submissions of one raw log and survives damage: where no
// entry begins it goes on to the next plausible one and counts the bytes between.
// An entry that is cut short is never yielded. It is for one goroutine.
type Reader struct {
	// Source is the name that each Submission's Origin carries.
	Source string
	// MaxBody is the longest plausible body in bytes: DefaultMaxBody for versions
	// 0 to 2, MaxBodyLimit for version 3, whose sums guard against wrong lengths.
	// Set it before the first Next to read logs of a server with another limit.
	MaxBody int

	src     io.Reader
	version int
	started bool

	buf    []byte // buf[lo:hi] is what has been read and not consumed
	lo, hi int
	off    int64 // of buf[lo] in the file
	err    error // what src answered last: io.EOF at its end

	head    fileHeader
	salted  bool  // head.salt is known
	skipped int64 // bytes passed over since the last entry
	zeros   int64 // how many of the last of them were zero
	broken  int64 // how many of the first of them are broken entries of this log; see breakage
	lost    int64
	tail    int64
}

// NewReader returns a reader of the raw log that r holds from its first
// byte. Version is 0 to 3 or VersionAuto; use VersionOf(name) when there is a
// name. It panics on any other version.
func NewReader(r io.Reader, version int) *Reader {
	if version < VersionAuto || version > Version {
		panic(fmt.Sprintf("rawlog: version %d", version))
	}
	return &Reader{src: r, version: version}
}

// Version returns the version being read; VersionAuto until the first Next has found it.
func (r *Reader) Version() int { return r.version }

// BytesLost returns how many bytes have been passed over as damage. After Next
// has returned io.EOF it covers the whole file, bytes that a finished log is
// short of included.
func (r *Reader) BytesLost() int64 { return r.lost }

// Tail returns, after io.EOF, how many bytes at the end of an unfinished v3 log
// are no damage: space that a crash left preallocated, zeros or the remains of the
// log that the file was before. Entries of this log that are not whole are damage,
// though a crash may have torn them before they were acknowledged: nobody can tell.
func (r *Reader) Tail() int64 { return r.tail }

// Next returns the next submission; its Body is valid until the next call. At
// the end it returns io.EOF, ErrVersion (wrapped) if the version is not
// recognisable, or an error of the underlying reader.
func (r *Reader) Next() (Submission, error) {
	if !r.started {
		if err := r.start(); err != nil {
			return Submission{}, err
		}
	}
	for {
		h, ok := r.entry()
		if ok {
			return r.take(h), nil
		}
		if r.lo == r.hi {
			if r.err == io.EOF {
				r.end()
			}
			return Submission{}, r.err
		}
		if r.broken == r.skipped {
			r.broken += r.breakage()
		}
		r.skip()
	}
}

// start detects the version and reads a v3 file's head.
func (r *Reader) start() error {
	r.started = true
	if r.version == VersionAuto {
		if r.version = r.detect(); r.version == VersionAuto {
			if r.err != nil && r.err != io.EOF {
				return r.err
			}
			return fmt.Errorf("%s: %w", r.Source, ErrVersion)
		}
	}
	if r.MaxBody == 0 {
		r.MaxBody = DefaultMaxBody
		if r.version == Version {
			r.MaxBody = MaxBodyLimit
		}
	}
	if r.version == Version {
		if r.head, r.salted = parseFileHeader(r.peek(fileHeaderBytes)); r.salted {
			r.consume(fileHeaderBytes)
		}
	}
	return nil
}

// entry looks for an entry exactly here.
func (r *Reader) entry() (header, bool) {
	h, ok := r.plausible(0)
	if !ok {
		return h, false
	}
	switch r.version {
	case 0:
		return h, true
	case Version:
		return h, r.verify(h)
	}
	if r.followed(h.size()) {
		return h, true
	}
	// No separator follows: either what comes next is damaged or this length is.
	// It is this one if an entry that is followed by another begins inside it.
	for i := 1; i < h.size(); i++ {
		n := bytes.IndexByte(r.peek(h.size())[i:h.size()], separator)
		if n < 0 {
			break
		}
		i += n
		if inner, ok := r.plausible(i); ok && r.followed(i+inner.size()) {
			return h, false
		}
	}
	return h, true
}

// plausible says whether an entry with believable lengths that is complete
// begins i bytes from here.
func (r *Reader) plausible(i int) (header, bool) {
	n := fixedBytes[r.version]
	b := r.peek(i + n)
	if len(b) < i+n {
		return header{}, false
	}
	h, ok := parseHeader(b[i:], r.version, r.MaxBody)
	return h, ok && len(r.peek(i+h.size())) >= i+h.size()
}

// followed says whether a separator or the end of the file stands n bytes from here.
func (r *Reader) followed(n int) bool {
	b := r.peek(n + 1)
	return len(b) <= n || b[n] == separator
}

// verify checks the sum of the v3 entry here. If the file's head was damaged, a
// salt on which two adjacent entries agree is taken for the file's.
func (r *Reader) verify(h header) bool {
	salt := h.sum ^ sumEntry(r.peek(h.size())[:h.size()])
	if r.salted {
		return salt == r.head.salt
	}
	next, ok := r.plausible(h.size())
	if !ok {
		return false
	}
	n := h.size()
	if next.sum^sumEntry(r.peek(n + next.size())[n:n+next.size()]) != salt {
		return false
	}
	r.head.salt, r.salted = salt, true
	return true
}

// take consumes the entry here.
func (r *Reader) take(h header) Submission {
	b := r.buf[r.lo : r.lo+h.size()]
	s := Submission{
		Time:   time.UnixMilli(int64(h.millis)).UTC(),
		Origin: Origin{Log: r.Source, Offset: r.off},
	}
	b = b[h.fixed:]
	if r.version == Version {
		s.Country = string(b[:h.address])
	} else {
		s.Address = string(b[:h.address])
	}
	b = b[h.address:]
	s.Path, b = string(b[:h.path]), b[h.path:]
	s.Body = b[:h.body:h.body]
	r.consume(h.size())
	r.lost += r.skipped
	r.skipped, r.zeros, r.broken = 0, 0, 0
	return s
}

// breakage returns how many bytes here, right behind the last entry or a broken
// one, are a broken entry of a recycled log; 0 when they are what it was before.
// Head and batches were filled up with zeros to a block, so what else stands
// between the last entry and the block's end was written later.
func (r *Reader) breakage() int64 {
	if r.version != Version || r.head.flags&flagRecycled == 0 || r.head.size > 0 {
		return 0
	}
	if h, ok := r.plausible(0); ok {
		if r.remains(h) {
			return 0
		}
		return int64(h.size())
	}
	if r.skipped > 0 || r.off%blockBytes == 0 {
		return 0
	}
	n := int(blockBytes - r.off%blockBytes)
	b := r.peek(n)
	b = b[:min(n, len(b))]
	return int64(len(b) - trailingZeros(b))
}

// remains says whether the entry here and the one behind it are whole entries of
// another log: they agree on its salt.
func (r *Reader) remains(h header) bool {
	salt := h.sum ^ sumEntry(r.peek(h.size())[:h.size()])
	n := h.size()
	next, ok := r.plausible(n)
	return ok && next.sum^sumEntry(r.peek(n + next.size())[n:n+next.size()]) == salt && salt != r.head.salt
}

// skip passes over damage up to the next separator, at least one byte.
func (r *Reader) skip() {
	b := r.buf[r.lo:r.hi]
	n := len(b)
	if r.version > 0 { // nothing marks an entry of version 0: its rest is lost
		if i := bytes.IndexByte(b[1:], separator); i >= 0 {
			n = i + 1
		}
	}
	if z := trailingZeros(b[:n]); z < n {
		r.zeros = int64(z)
	} else {
		r.zeros += int64(n)
	}
	r.skipped += int64(n)
	r.consume(n)
	r.peek(1)
}

// end accounts for what followed the last entry.
func (r *Reader) end() {
	switch finished := r.head.size > 0; {
	case r.version != Version || finished:
		r.lost += r.skipped
		if finished && uint64(r.off) < r.head.size {
			r.lost += int64(min(r.head.size, 1<<62)) - r.off
		}
	case r.head.flags&flagRecycled != 0:
		r.lost += min(r.broken, r.skipped)
		r.tail = r.skipped - min(r.broken, r.skipped)
	default:
		r.tail = r.zeros
		r.lost += r.skipped - r.zeros
	}
	r.head.size, r.skipped, r.zeros, r.broken = 0, 0, 0, 0 // Next may be called again
}

// detect finds out the version as the predecessor's tools did: by a v3 head, or
// by reading strictly with each version. More than two entries exactly in place
// are certain; fewer count if they fill the file.
func (r *Reader) detect() int {
	if _, ok := parseFileHeader(r.peek(fileHeaderBytes)); ok {
		return Version
	}
	defer func(limit int) { r.version, r.MaxBody = VersionAuto, limit }(r.MaxBody)
	if r.MaxBody == 0 {
		r.MaxBody = DefaultMaxBody
	}
	tentative := VersionAuto
	for _, v := range []int{1, 2} {
		r.version = v
		n, at := 0, 0
		for ; n < 3; n++ {
			h, ok := r.plausible(at)
			if !ok {
				break
			}
			at += h.size()
		}
		if n == 3 {
			return v
		}
		if n > 0 && tentative == VersionAuto {
			tentative = v
		}
	}
	return tentative
}

// readChunk is how much is asked of the source at once.
const readChunk = 256 << 10

// peek returns what is buffered, at least n bytes unless the source ends or
// fails before. It is valid until the next peek.
func (r *Reader) peek(n int) []byte {
	for r.hi-r.lo < n && r.err == nil {
		if r.hi == len(r.buf) || len(r.buf)-r.lo < n {
			to := r.buf
			if len(to) < max(n, readChunk) || r.lo == 0 {
				to = make([]byte, max(2*len(r.buf), n, readChunk))
			}
			r.hi = copy(to, r.buf[r.lo:r.hi])
			r.buf, r.lo = to, 0
		}
		var got int
		got, r.err = r.src.Read(r.buf[r.hi:])
		r.hi += got
	}
	return r.buf[r.lo:r.hi]
}

func (r *Reader) consume(n int) {
	r.lo += n
	r.off += int64(n)
}

// trailingZeros returns how many zeros b ends with.
func trailingZeros(b []byte) int {
	end := len(b)
	for end >= 8 && binary.LittleEndian.Uint64(b[end-8:]) == 0 {
		end -= 8
	}
	for end > 0 && b[end-1] == 0 {
		end--
	}
	return len(b) - end
}
