package rawlog

import (
	"bytes"
	"encoding/binary"
)

// damage counts the bytes that are not part of an entry.
type damage struct {
	// Since the last entry:
	skipped int64 // bytes passed over
	zeros   int64 // how many of the last of them were zero
	broken  int64 // how many of the first of them are broken entries of this log; see breakage

	// In the whole file:
	lost int64
	tail int64
}

// endBetween accounts for bytes that an entry follows: all of them are lost.
func (d *damage) endBetween() {
	d.lost += d.skipped
	d.skipped, d.zeros, d.broken = 0, 0, 0
}

// BytesLost returns how many bytes have been passed over as damage. After Next
// has returned io.EOF it covers the whole file, including the bytes that a finished
// log lacks.
func (r *Reader) BytesLost() int64 { return r.damage.lost }

// Tail returns, after io.EOF, how many bytes at the end of an unfinished log since version 3
// are no damage: space that a crash left preallocated, zeros or the remains of the
// log that the file was before. Entries of this log that are not whole count as
// damage. A crash may have torn them before they were acknowledged, which cannot be
// told apart.
func (r *Reader) Tail() int64 { return r.damage.tail }

// skip passes over damage up to the next separator, at least one byte.
func (r *Reader) skip() {
	d := &r.damage
	if d.broken == d.skipped { // nothing but broken entries so far
		d.broken += r.breakage()
	}

	// Nothing marks an entry of version 0: the rest of the file is lost.
	unread := r.in.unread()
	skipped := len(unread)
	if r.version > 0 {
		if i := bytes.IndexByte(unread[1:], separator); i >= 0 {
			skipped = i + 1
		}
	}

	// Zeros at the end may be preallocated space, so they are counted apart.
	zeros := trailingZeros(unread[:skipped])
	if zeros < skipped {
		d.zeros = int64(zeros)
	} else {
		d.zeros += int64(skipped)
	}

	d.skipped += int64(skipped)
	r.in.consume(skipped)
	r.in.peek(1) // reads on, so that isEmpty is true at the end only
}

// breakage returns how many bytes here, right behind the last entry or a broken
// one, are a broken entry of a recycled log; 0 if they are remains of the log before.
// Head and batches were filled up with zeros to a disk block, so what else stands
// between the last entry and the disk block's end was written later.
func (r *Reader) breakage() int64 {
	if r.version < firstWithSums || r.head.flags&flagRecycled == 0 || r.head.size > 0 {
		return 0
	}

	// Lengths can be right though the sum is not: the entry is broken or from the log before.
	if header, ok := r.plausible(0); ok {
		if r.isRemains(header) {
			return 0
		}
		return int64(header.size())
	}

	// A broken entry whose length is damaged too ends where its batch's zeros begin.
	if r.damage.skipped > 0 || r.in.off%blockBytes == 0 {
		return 0
	}

	n := int(blockBytes - r.in.off%blockBytes)
	b := r.in.peek(n)
	b = b[:min(n, len(b))]
	return int64(len(b) - trailingZeros(b))
}

// isRemains says whether the entry here and the one behind it are whole entries of
// another log: they agree on its salt.
func (r *Reader) isRemains(h entryHeader) bool {
	salt := r.saltOf(0, h)
	next, ok := r.plausible(h.size())
	return ok && r.saltOf(h.size(), next) == salt && salt != r.head.salt
}

// end accounts for what followed the last entry.
func (r *Reader) end() {
	d := &r.damage
	finished := r.head.size > 0

	switch {
	case r.version >= firstWithSums && !r.salted:
		// No server leaves a file without a head: all of it is damage, zeros too.
		d.lost += d.skipped
	case r.version < firstWithSums || finished:
		d.lost += d.skipped
		if finished && uint64(r.in.off) < r.head.size { // the file was cut
			d.lost += int64(min(r.head.size, 1<<62)) - r.in.off
		}
	case r.head.flags&flagRecycled != 0:
		// Broken entries of this log, then remains of the log that the file was before.
		broken := min(d.broken, d.skipped)
		d.lost += broken
		d.tail = d.skipped - broken
	default:
		// A fresh file ends with the zeros that were allocated in advance.
		d.tail = d.zeros
		d.lost += d.skipped - d.zeros
	}

	// Next may be called again, which must not count twice.
	r.head.size = 0
	d.skipped, d.zeros, d.broken = 0, 0, 0
}

// trailingZeros returns how many zeros b ends with.
func trailingZeros(b []byte) int {
	// Eight at a time: a tail may have hundreds of megabytes.
	end := len(b)
	for end >= 8 && binary.LittleEndian.Uint64(b[end-8:]) == 0 {
		end -= 8
	}
	for end > 0 && b[end-1] == 0 {
		end--
	}
	return len(b) - end
}
