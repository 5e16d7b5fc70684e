package inflate

import (
	"encoding/binary"
	"io"
)

// blocks unpacks a deflate stream (RFC 1951), from a byte's first bit, and leaves at
// behind its last byte.
func (d *Decoder) blocks() error {
	for {
		// A block begins with a bit that says whether it is the last, and its kind.
		head, err := d.take(3)
		if err != nil {
			return err
		}

		switch head >> 1 {
		case 0:
			err = d.stored()
		case 1:
			d.t = fixed
			err = d.symbols()
		case 2:
			err = d.dynamic()
			if err == nil {
				err = d.symbols()
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

// fill reads ahead byte by byte, 56 to 63 bits or to the end of src.
func (d *Decoder) fill() {
	for d.n < 56 && d.at < len(d.src) {
		d.bits |= uint64(d.src[d.at]) << d.n
		d.at++
		d.n += 8
	}
}

// take reads k bits, at most 16.
func (d *Decoder) take(k uint) (int, error) {
	d.fill()
	if d.n < k {
		return 0, io.ErrUnexpectedEOF
	}
	v := int(d.bits & (1<<k - 1))
	d.drop(k)
	return v, nil
}

// drop passes over k bits that are there.
func (d *Decoder) drop(k uint) {
	d.bits >>= k
	d.n -= k
}

// align drops the rest of a byte and gives back the bytes that were read ahead.
func (d *Decoder) align() {
	d.at -= int(d.n >> 3)
	d.bits, d.n = 0, 0
}

// stored copies a block that is not compressed.
func (d *Decoder) stored() error {
	d.align()

	// Its size comes twice, once with all bits inverted.
	if len(d.src)-d.at < 4 {
		return io.ErrUnexpectedEOF
	}
	size := binary.LittleEndian.Uint16(d.src[d.at:])
	if size != ^binary.LittleEndian.Uint16(d.src[d.at+2:]) {
		return ErrCorrupt
	}
	d.at += 4

	// Too long is found before too short, because the bytes that are there count.
	text := d.src[d.at:]
	text = text[:min(len(text), int(size))]
	d.room(len(text))
	if len(text) > len(d.out)-d.end {
		return ErrTooLong
	}
	if len(text) < int(size) {
		return io.ErrUnexpectedEOF
	}

	d.end += copy(d.out[d.end:], text)
	d.at += len(text)
	return nil
}

// codeOrder is the order in which a dynamic block gives the lengths of the code for
// code lengths.
var codeOrder = [maxLens]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// repeats says what the symbols from 16 on of the code for code lengths stand for:
// so many of a length, plus the number in so many more bits.
var repeats = [...]struct {
	base int
	bits uint
}{{3, 2}, {3, 3}, {11, 7}}

// dynamic reads the code lengths at the head of a block and builds its tables.
func (d *Decoder) dynamic() error {
	head, err := d.take(14)
	if err != nil {
		return err
	}
	lits, dists, codes := head&31+257, head>>5&31+1, head>>10+4
	if lits > usedLit || dists > usedDist {
		return ErrCorrupt
	}

	// First comes the code that the lengths of the other two codes are written in.
	var own [maxLens]uint8
	for _, symbol := range codeOrder[:codes] {
		n, err := d.take(3)
		if err != nil {
			return err
		}
		own[symbol] = uint8(n)
	}

	d.t = &d.own
	if !build(d.t.lens[:], lensBits, own[:], lensEntries[:]) {
		return ErrCorrupt
	}

	// Then the lengths of both codes, one list; some symbols repeat a length.
	lens := d.lens[:lits+dists]
	for i := 0; i < len(lens); {
		e, err := d.code(d.t.lens[:], lensBits)
		if err != nil {
			return err
		}

		symbol := e >> 16
		if symbol < 16 {
			lens[i] = uint8(symbol)
			i++
			continue
		}

		r := repeats[symbol-16]
		more, err := d.take(r.bits)
		if err != nil {
			return err
		}

		value := uint8(0)
		if symbol == 16 { // it repeats the length before
			if i == 0 {
				return ErrCorrupt
			}
			value = lens[i-1]
		}

		n := r.base + more
		if n > len(lens)-i {
			return ErrCorrupt
		}
		for range n {
			lens[i] = value
			i++
		}
	}

	// Without an end the block could only end in an error.
	if lens[endOfBlock] == 0 ||
		!build(d.t.lit[:], litBits, lens[:lits], litEntries[:]) ||
		!build(d.t.dist[:], distBits, lens[lits:], distEntries[:]) {
		return ErrCorrupt
	}
	return nil
}
