package inflate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// What is wrong with a body. One that ends too early gives io.ErrUnexpectedEOF.
var (
	ErrHeader   = errors.New("invalid header")   // a member does not begin as it must
	ErrChecksum = errors.New("invalid checksum") // a member's sum or length is wrong
	ErrCorrupt  = errors.New("corrupt input")    // not a deflate stream
	ErrTooLong  = errors.New("too long")         // it unpacks to more than the limit
)

// Decoder unpacks one body after another in tables of its own (20 kB). The zero
// Decoder is ready. It belongs to one goroutine, and keeps nothing of a body.
type Decoder struct {
	t    *tables // of the block in hand: &own or fixed
	own  tables
	lens [maxLit + maxDist]uint8

	src  []byte
	at   int    // next byte of src
	bits uint64 // read ahead, low bits first
	n    uint   // how many of them count

	out    []byte // as long as it may be filled
	end    int    // how far it is filled
	member int    // where what this gzip member unpacks to begins
	limit  int    // of len(out)
}

// Gunzip returns what the gzip members in src unpack to, at most limit bytes, in the
// memory of dst if that is large enough; what dst held is lost. The error is one of this
// package's or io.ErrUnexpectedEOF; with it comes the text up to there. If a body is too
// long and has another fault, the one that comes first in src is returned.
func (d *Decoder) Gunzip(dst, src []byte, limit int) ([]byte, error) {
	d.begin(dst, src, limit)
	defer d.release()

	// One member after the other.
	for {
		if err := d.header(); err != nil {
			return d.out[:d.end], err
		}
		d.member = d.end
		if err := d.blocks(); err != nil {
			return d.out[:d.end], err
		}
		if err := d.trailer(); err != nil {
			return d.out[:d.end], err
		}
		if d.at == len(d.src) {
			return d.out[:d.end], nil
		}
	}
}

// begin sets the body and the memory for its text.
func (d *Decoder) begin(dst, src []byte, limit int) {
	d.src, d.at, d.bits, d.n = src, 0, 0, 0
	d.out, d.end, d.member, d.limit = dst[:min(cap(dst), limit)], 0, 0, limit
	if len(src) < 4 {
		return
	}

	// The last four bytes should be the length of the text, modulo 2³². A wrong hint
	// costs a little memory or time.
	hint := int64(binary.LittleEndian.Uint32(src[len(src)-4:]))
	d.room(int(min(hint, 64*int64(len(src)), int64(limit))) + outMargin)
}

// release drops the references to the caller's memory.
func (d *Decoder) release() { d.src, d.out = nil, nil }

// room makes out have at least k bytes behind end, or as many as the limit allows.
func (d *Decoder) room(k int) {
	if len(d.out)-d.end >= k || len(d.out) == d.limit {
		return
	}
	more := make([]byte, min(d.limit, max(d.end+k, 2*len(d.out))))
	copy(more, d.out[:d.end])
	d.out = more
}

// The flags of a gzip header.
const (
	hasSum = 1 << (iota + 1)
	hasExtra
	hasName
	hasComment
	reserved = 0xe0
)

// maxName is how long a name or comment may be, its zero included.
const maxName = 512

// header passes over the header of a gzip member (RFC 1952, section 2.3).
func (d *Decoder) header() error {
	h := d.src[d.at:]
	if len(h) < 10 {
		return io.ErrUnexpectedEOF
	}
	if h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 {
		return ErrHeader
	}

	// n is how much of h is read; h[4:10] are a time and what packed it.
	flags, n := h[3], 10
	if flags&hasExtra != 0 {
		if len(h) < n+2 {
			return io.ErrUnexpectedEOF
		}
		n += 2 + int(binary.LittleEndian.Uint16(h[n:]))
		if len(h) < n {
			return io.ErrUnexpectedEOF
		}
	}

	// Name and comment end with a zero.
	for _, text := range [...]byte{hasName, hasComment} {
		if flags&text == 0 {
			continue
		}
		rest := h[n:]
		i := bytes.IndexByte(rest[:min(len(rest), maxName)], 0)
		switch {
		case i >= 0:
			n += i + 1
		case len(rest) < maxName:
			return io.ErrUnexpectedEOF
		default:
			return ErrHeader
		}
	}

	if flags&hasSum != 0 {
		if len(h) < n+2 {
			return io.ErrUnexpectedEOF
		}
		if binary.LittleEndian.Uint16(h[n:]) != uint16(crc32.ChecksumIEEE(h[:n])) {
			return ErrHeader
		}
		n += 2
	}

	if flags&reserved != 0 {
		return ErrHeader
	}
	d.at += n
	return nil
}

// trailer checks what stands behind the deflate stream of a member.
func (d *Decoder) trailer() error {
	sums := d.src[d.at:]
	if len(sums) < 8 {
		return io.ErrUnexpectedEOF
	}
	text := d.out[d.member:d.end]
	if binary.LittleEndian.Uint32(sums) != crc32.ChecksumIEEE(text) ||
		binary.LittleEndian.Uint32(sums[4:]) != uint32(len(text)) {
		return ErrChecksum
	}
	d.at += 8
	return nil
}
