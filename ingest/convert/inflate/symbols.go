package inflate

import (
	"encoding/binary"
	"io"
)

// symbols unpacks the rest of a block whose tables are built.
func (d *Decoder) symbols() error {
	for {
		done, err := d.fast()
		if !done && err == nil {
			done, err = d.step()
		}
		if done || err != nil {
			return err
		}
	}
}

// How far from the ends of src and out fast must begin each round: a round reads 8
// bytes at most 7 bytes on, and writes two literals, a match, and 15 bytes more than
// belong to that.
const (
	inMargin  = 16
	outMargin = 2 + 258 + 16
)

// fast unpacks symbols while neither end is near. done says that the block ended.
func (d *Decoder) fast() (done bool, err error) {
	t, src, out, member := d.t, d.src, d.out, d.member
	at, b, n, end := d.at, d.bits, d.n, d.end
	if at+inMargin > len(src) || end+outMargin > len(out) {
		return false, nil
	}
	at, b, n = refill(src, at, b, n)
	e := t.lit[b%(1<<litBits)]
	for at+inMargin <= len(src) && end+outMargin <= len(out) {
		// Here n ≥ 56, which is enough for two literals without subtable (22) and
		// a length (20) or a literal. e is the entry at the low end of b, now the b
		// that it was found in: a length's own bits follow its code there.

		now := b
		b >>= e & 63
		n -= uint(e & 63)
		if e&isLiteral != 0 {
			out[end] = byte(e >> 16)
			end++
			e = t.lit[b%(1<<litBits)]
			now = b
			b >>= e & 63
			n -= uint(e & 63)
			if e&isLiteral != 0 {
				out[end] = byte(e >> 16)
				end++
				e = t.lit[b%(1<<litBits)]
				now = b
				b >>= e & 63
				n -= uint(e & 63)
				if e&isLiteral != 0 {
					out[end] = byte(e >> 16)
					end++
					e = t.lit[b%(1<<litBits)]
					at, b, n = refill(src, at, b, n)
					continue
				}
			}
		}
		if e&isSpecial != 0 {
			if e&isSubtable != 0 {
				e = t.lit[(e>>16+uint32(b)&(1<<(e>>8&31)-1))%uint32(len(t.lit))]
				now = b
				b >>= e & 63
				n -= uint(e & 63)
			}
			if e&isLiteral != 0 {
				out[end] = byte(e >> 16)
				end++
				e = t.lit[b%(1<<litBits)]
				at, b, n = refill(src, at, b, n)
				continue
			}

			// Not a length either: the end of the block, or an error.
			if e&isSpecial != 0 {
				if done = e&isEnd != 0; !done {
					err = ErrCorrupt
				}
				break
			}
		}

		// e is a length: its base, and the bits behind its code.
		length := int(e>>16) + int(now&(1<<(e&63)-1)>>(e>>8&31))

		// Then follows the code of a distance.
		if n < maxCode+13 {
			at, b, n = refill(src, at, b, n)
		}
		e = t.dist[b%(1<<distBits)]
		if e&isSpecial != 0 {
			if e&isSubtable != 0 {
				b >>= distBits
				n -= distBits
				e = t.dist[(e>>16+uint32(b)&(1<<(e>>8&31)-1))%uint32(len(t.dist))]
			}
			if e&isSpecial != 0 {
				err = ErrCorrupt
				break
			}
		}
		distance := int(e>>16) + int(b&(1<<(e&63)-1)>>(e>>8&31))
		b >>= e & 63
		n -= uint(e & 63)

		// The match must not begin before the member.
		from := end - distance
		if from < member {
			err = ErrCorrupt
			break
		}

		// Look the next symbol up before copying, so that both go on at once.
		at, b, n = refill(src, at, b, n)
		e = t.lit[b%(1<<litBits)]

		// Copy the match 16 bytes at a time, beyond its end if need be.
		stop := end + length
		for distance < 8 { // words would overlap: double what is repeated
			binary.LittleEndian.PutUint64(out[end:], binary.LittleEndian.Uint64(out[from:]))
			end += distance
			distance *= 2
		}
		for end < stop {
			words(out, end, from)
			end += 16
			from += 16
		}
		end = stop
	}
	d.at, d.bits, d.n, d.end = at, b, n, end
	return done, err
}

// refill reads ahead 56 to 63 bits. It needs 8 bytes of src.
func refill(src []byte, at int, b uint64, n uint) (int, uint64, uint) {
	b |= binary.LittleEndian.Uint64(src[at:]) << (n & 63)
	return at + int((63-n)>>3), b, n | 56
}

// words copies two words within out, one after the other.
func words(out []byte, to, from int) {
	d, s := (*[16]byte)(out[to:]), (*[16]byte)(out[from:])
	binary.LittleEndian.PutUint64(d[:8], binary.LittleEndian.Uint64(s[:8]))
	binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:]))
}

// step unpacks one symbol, however near the ends are, and makes room for more.
func (d *Decoder) step() (done bool, err error) {
	d.room(outMargin)

	// A literal, the end of the block, or a length.
	e, err := d.code(d.t.lit[:], litBits)
	switch {
	case err != nil:
		return false, err
	case e&isEnd != 0 && e&isSpecial != 0:
		return true, nil
	case e&isLiteral != 0:
		if d.end == len(d.out) {
			return false, ErrTooLong
		}
		d.out[d.end] = byte(e >> 16)
		d.end++
		return false, nil
	}
	length, err := d.extra(e)
	if err != nil {
		return false, err
	}

	// Behind a length comes a distance.
	e, err = d.code(d.t.dist[:], distBits)
	if err != nil {
		return false, err
	}
	distance, err := d.extra(e)
	if err != nil {
		return false, err
	}

	// Copy the match, which may overlap what it writes.
	if distance > d.end-d.member {
		return false, ErrCorrupt
	}
	if length > len(d.out)-d.end {
		return false, ErrTooLong
	}
	for range length {
		d.out[d.end] = d.out[d.end-distance]
		d.end++
	}
	return false, nil
}

// code reads the code of a symbol, not what follows it, and returns its entry.
func (d *Decoder) code(table []uint32, size uint) (uint32, error) {
	d.fill()
	e := table[d.bits&(1<<size-1)]

	used := uint(0)
	if e&isLiteral == 0 && e&isSpecial != 0 && e&isSubtable != 0 {
		used = size
		e = table[e>>16+uint32(d.bits>>size)&(1<<(e>>8&31)-1)]
	}
	used += uint(e >> 8 & 31)
	if d.n < used {
		return 0, io.ErrUnexpectedEOF
	}

	if e&isSpecial != 0 && e&isEnd == 0 {
		return 0, ErrCorrupt
	}
	d.drop(used)
	return e, nil
}

// extra reads the bits that follow the code of a length or distance, and returns its
// value.
func (d *Decoder) extra(e uint32) (int, error) {
	more, err := d.take(uint(e&63 - e>>8&31))
	return int(e>>16) + more, err
}
