// Package inflate unpacks a gzip body that is in memory as a whole into memory,
// twice as fast as the streaming decoders of compress/flate and its likes, whose
// window and byte-wise reading it does without. Conversion spends most of its
// time unpacking, which is why this is not left to a library.
package inflate

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/bits"
	"slices"
)

var (
	// ErrCorrupt is returned for data that is not gzip, or damaged.
	ErrCorrupt = errors.New("invalid gzip data")
	// ErrTruncated is returned for data that ends too early.
	ErrTruncated = errors.New("unexpected end of gzip data")
	// ErrTooLong is returned for data that unpacks to more than the limit.
	ErrTooLong = errors.New("unpacked data too long")
)

// Decoder holds the tables of the block in hand. The zero Decoder is ready. It
// belongs to one goroutine.
type Decoder struct {
	t    *tables // of the block in hand: own, or fixed
	own  tables
	lens [maxLit + maxDist]uint8

	src    []byte
	at     int    // next byte of src
	bits   uint64 // read ahead, low bits first
	n      uint   // how many of them count
	out    []byte
	end    int // of what has been written to out
	member int // where the output of this gzip member begins
	limit  int
}

const (
	maxCode  = 15 // bits of a code
	litBits  = 11 // of the index of the first table
	distBits = 8
	maxLit   = 288
	maxDist  = 32

	// slack is how much room the fast loop wants: a match of 258 bytes, two
	// literals, and what copying by words writes too much.
	slack = 258 + 2 + 16
)

// Gunzip appends to dst[:0] what the gzip members in src unpack to, at most limit
// bytes, and returns it; the result's memory is dst's if that is large enough.
func (d *Decoder) Gunzip(dst, src []byte, limit int) ([]byte, error) {
	d.src, d.at, d.limit = src, 0, limit
	d.out, d.end = dst[:cap(dst)], 0
	defer func() { d.src, d.out = nil, nil }()
	for {
		if err := d.header(); err != nil {
			return nil, err
		}
		d.bits, d.n, d.member = 0, 0, d.end
		if err := d.blocks(); err != nil {
			return nil, err
		}
		if len(d.src)-d.at < 8 {
			return nil, ErrTruncated
		}
		text := d.out[d.member:d.end]
		if binary.LittleEndian.Uint32(d.src[d.at:]) != crc32.ChecksumIEEE(text) ||
			binary.LittleEndian.Uint32(d.src[d.at+4:]) != uint32(len(text)) {
			return nil, ErrCorrupt
		}
		if d.at += 8; d.at == len(d.src) {
			return d.out[:d.end], nil
		}
	}
}

// The flags of a gzip header.
const (
	hasSum = 1 << (iota + 1)
	hasExtra
	hasName
	hasComment
)

// header passes over the header of a gzip member.
func (d *Decoder) header() error {
	h := d.src[d.at:]
	if len(h) < 10 {
		return ErrTruncated
	}
	if h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 {
		return ErrCorrupt
	}
	flags, n := h[3], 10
	if flags&hasExtra != 0 {
		if len(h) < n+2 {
			return ErrTruncated
		}
		n += 2 + int(binary.LittleEndian.Uint16(h[n:]))
	}
	for _, text := range [...]byte{hasName, hasComment} {
		if flags&text == 0 {
			continue
		}
		i := slices.Index(h[min(n, len(h)):], 0)
		if i < 0 {
			return ErrTruncated
		}
		n += i + 1
	}
	if flags&hasSum != 0 {
		if len(h) < n+2 {
			return ErrTruncated
		}
		if binary.LittleEndian.Uint16(h[n:]) != uint16(crc32.ChecksumIEEE(h[:n])) {
			return ErrCorrupt
		}
		n += 2
	}
	if n > len(h) {
		return ErrTruncated
	}
	d.at += n
	return nil
}

// blocks unpacks a deflate stream and leaves at behind it.
func (d *Decoder) blocks() error {
	for {
		head, err := d.take(3)
		if err != nil {
			return err
		}
		switch head >> 1 {
		case 0:
			err = d.stored()
		case 1:
			d.t = fixed()
			err = d.huffman()
		case 2:
			if err = d.dynamic(); err == nil {
				err = d.huffman()
			}
		default:
			err = ErrCorrupt
		}
		if err != nil {
			return err
		}
		if head&1 == 1 {
			d.align()
			return nil
		}
	}
}

// fill reads ahead byte by byte, up to 56 bits or more.
func (d *Decoder) fill() {
	for d.n <= 56 && d.at < len(d.src) {
		d.bits |= uint64(d.src[d.at]) << d.n
		d.at++
		d.n += 8
	}
}

// take reads k bits, at most 16.
func (d *Decoder) take(k uint) (int, error) {
	d.fill()
	if d.n < k {
		return 0, ErrTruncated
	}
	v := int(d.bits & (1<<k - 1))
	d.bits >>= k
	d.n -= k
	return v, nil
}

// align drops the rest of a byte and gives back whole bytes that were read ahead.
func (d *Decoder) align() {
	d.at -= int(d.n >> 3)
	d.bits, d.n = 0, 0
}

// room makes out have at least k bytes free behind end, within the limit's reach.
func (d *Decoder) room(k int) {
	if len(d.out)-d.end < k {
		d.out = slices.Grow(d.out[:d.end], max(k, min(d.end, d.limit-d.end+slack)))
		d.out = d.out[:cap(d.out)]
	}
}

func (d *Decoder) stored() error {
	d.align()
	if len(d.src)-d.at < 4 {
		return ErrTruncated
	}
	n := int(binary.LittleEndian.Uint16(d.src[d.at:]))
	if n^0xffff != int(binary.LittleEndian.Uint16(d.src[d.at+2:])) {
		return ErrCorrupt
	}
	if d.at += 4; len(d.src)-d.at < n {
		return ErrTruncated
	}
	if d.end+n > d.limit {
		return ErrTooLong
	}
	d.room(n)
	d.end += copy(d.out[d.end:], d.src[d.at:d.at+n])
	d.at += n
	return nil
}

// codeOrder is the order in which a block gives the lengths of the code for code
// lengths.
var codeOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the code lengths of a block and builds its tables.
func (d *Decoder) dynamic() error {
	head, err := d.take(14)
	if err != nil {
		return err
	}
	lits, dists, codes := head&31+257, head>>5&31+1, head>>10+4
	if lits > maxLit-2 {
		return ErrCorrupt
	}
	clear(d.lens[:len(codeOrder)])
	for _, symbol := range codeOrder[:codes] {
		n, err := d.take(3)
		if err != nil {
			return err
		}
		d.lens[symbol] = uint8(n)
	}
	const preBits = 7
	d.t = &d.own
	if !build(d.t.lit[:], preBits, d.lens[:len(codeOrder)], plainEntry) {
		return ErrCorrupt
	}
	for i := 0; i < lits+dists; {
		d.fill()
		e := d.t.lit[d.bits&(1<<preBits-1)]
		if e == 0 {
			return ErrCorrupt
		}
		if d.n < uint(e&0xff) {
			return ErrTruncated
		}
		d.bits >>= e & 0xff
		d.n -= uint(e & 0xff)
		symbol := e >> 16 & 0x7fff
		if symbol < 16 {
			d.lens[i] = uint8(symbol)
			i++
			continue
		}
		r := [...]struct {
			bits uint
			base int
		}{{2, 3}, {3, 3}, {7, 11}}[symbol-16]
		more, err := d.take(r.bits)
		if err != nil {
			return err
		}
		n, value := r.base+more, uint8(0)
		if symbol == 16 {
			if i == 0 {
				return ErrCorrupt
			}
			value = d.lens[i-1]
		}
		if i+n > lits+dists {
			return ErrCorrupt
		}
		for ; n > 0; n-- {
			d.lens[i] = value
			i++
		}
	}
	if d.lens[256] == 0 || !build(d.t.dist[:], distBits, d.lens[lits:lits+dists], distEntry) || !build(d.t.lit[:], litBits, d.lens[:lits], litEntry) {
		return ErrCorrupt
	}
	return nil
}

// reverse returns the low n bits of v, mirrored.
func reverse(v uint32, n uint) uint32 { return uint32(bits.Reverse32(v)) >> (32 - n) }
