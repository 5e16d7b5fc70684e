package inflate

import "encoding/binary"

// huffman unpacks the rest of a block whose tables are built.
func (d *Decoder) huffman() error {
	for {
		done, err := d.fast()
		if done || err != nil {
			return err
		}
		if done, err = d.step(); done || err != nil {
			return err
		}
	}
}

// fast unpacks symbols while neither end is near. done says that the block ended.
func (d *Decoder) fast() (done bool, err error) {
	if d.end > d.limit {
		return false, ErrTooLong
	}
	d.room(4 * slack)
	t := d.t
	src, at, b, n := d.src, d.at, d.bits, d.n
	out, end := d.out, d.end
	last := min(len(out)-slack, d.limit) // out's end is checked every symbol
loop:
	for at+16 <= len(src) && end <= last {
		b |= binary.LittleEndian.Uint64(src[at:]) << (n & 63)
		at += int(63-n) >> 3
		n |= 56
		e := t.lit[b&(1<<litBits-1)]
		if e&isLiteral != 0 {
			b >>= e & 63
			n -= uint(e & 63)
			out[end] = byte(e >> 16)
			end++
			e = t.lit[b&(1<<litBits-1)]
			if e&isLiteral != 0 {
				b >>= e & 63
				n -= uint(e & 63)
				out[end] = byte(e >> 16)
				end++
				e = t.lit[b&(1<<litBits-1)]
				if e&isLiteral != 0 {
					b >>= e & 63
					n -= uint(e & 63)
					out[end] = byte(e >> 16)
					end++
					continue
				}
			}
		}
		if e&isSpecial != 0 {
			if e&isSubtable != 0 {
				b >>= litBits
				n -= litBits
				e = t.lit[e>>16&0x7fff+uint32(b)&(1<<(e>>8&31)-1)]
			}
			if e&isLiteral != 0 {
				b >>= e & 63
				n -= uint(e & 63)
				out[end] = byte(e >> 16)
				end++
				continue
			}
			if e&isEnd != 0 {
				b >>= e & 63
				n -= uint(e & 63)
				done = true
				break
			}
		}
		if e == 0 {
			err = ErrCorrupt
			break
		}
		length := int(e>>16) + int(b&(1<<(e&63)-1)>>(e>>8&31))
		b >>= e & 63
		n -= uint(e & 63)
		if n < maxCode+13 {
			b |= binary.LittleEndian.Uint64(src[at:]) << (n & 63)
			at += int(63-n) >> 3
			n |= 56
		}
		e = t.dist[b&(1<<distBits-1)]
		if e&isSpecial != 0 {
			b >>= distBits
			n -= distBits
			e = t.dist[e>>16&0x7fff+uint32(b)&(1<<(e>>8&31)-1)]
		}
		distance := int(e>>16) + int(b&(1<<(e&63)-1)>>(e>>8&31))
		b >>= e & 63
		n -= uint(e & 63)
		from := end - distance
		if e == 0 || from < d.member {
			err = ErrCorrupt
			break
		}
		switch {
		case distance >= 8: // words do not overlap; up to seven bytes too many
			stop := end + length
			for {
				binary.LittleEndian.PutUint64(out[end:], binary.LittleEndian.Uint64(out[from:]))
				if end += 8; end >= stop {
					break
				}
				from += 8
			}
			end = stop
		case distance == 1:
			v := uint64(out[from]) * 0x0101010101010101
			stop := end + length
			for {
				binary.LittleEndian.PutUint64(out[end:], v)
				if end += 8; end >= stop {
					break
				}
			}
			end = stop
		default:
			for stop := end + length; end < stop; end++ {
				out[end] = out[from]
				from++
			}
		}
		continue loop
	}
	d.at, d.bits, d.n, d.end = at, b, n, end
	if err == nil && end > d.limit {
		err = ErrTooLong
	}
	return done, err
}

// step unpacks one symbol, however near the ends are.
func (d *Decoder) step() (done bool, err error) {
	e, err := d.code(d.t.lit[:], litBits)
	if err != nil {
		return false, err
	}
	d.room(slack)
	switch {
	case e&isLiteral != 0:
		d.out[d.end] = byte(e >> 16)
		d.end++
	case e&isEnd != 0:
		return true, nil
	default:
		length, err := d.extra(e)
		if err != nil {
			return false, err
		}
		if e, err = d.code(d.t.dist[:], distBits); err != nil {
			return false, err
		}
		distance, err := d.extra(e)
		if err != nil {
			return false, err
		}
		from := d.end - distance
		if from < d.member {
			return false, ErrCorrupt
		}
		for range length {
			d.out[d.end] = d.out[from]
			d.end++
			from++
		}
	}
	if d.end > d.limit {
		return false, ErrTooLong
	}
	return false, nil
}

// code reads the code of a symbol, not its extra bits, and returns its entry.
func (d *Decoder) code(table []uint32, size uint) (uint32, error) {
	d.fill()
	e := table[d.bits&(1<<size-1)]
	used := uint(0)
	if e&isLiteral == 0 && e&isSubtable != 0 {
		used = size
		e = table[e>>16&0x7fff+uint32(d.bits>>size)&(1<<(e>>8&31)-1)]
	}
	if e == 0 {
		if d.n < maxCode {
			return 0, ErrTruncated
		}
		return 0, ErrCorrupt
	}
	if e&isLiteral != 0 {
		used += uint(e & 63)
	} else {
		used += uint(e >> 8 & 31)
	}
	if d.n < used {
		return 0, ErrTruncated
	}
	d.bits >>= used
	d.n -= used
	return e, nil
}

// extra reads the extra bits of a length or distance and returns its value.
func (d *Decoder) extra(e uint32) (int, error) {
	more, err := d.take(uint(e&63 - e>>8&31))
	return int(e>>16&0x7fff) + more, err
}
