package tables

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrPartial is returned (wrapped) for a partial result that this package has not
// written.
var ErrPartial = errors.New("malformed partial result of a table")

// reader reads a partial result. Behind the first error everything reads as zero.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail() {
	r.err = ErrPartial
	r.rest = nil
}

// next returns the next n bytes, nil if there are fewer.
func (r *reader) next(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail()
		return nil
	}
	field := r.rest[:n]
	r.rest = r.rest[n:]
	return field
}

func (r *reader) byte() byte {
	if field := r.next(1); field != nil {
		return field[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if field := r.next(4); field != nil {
		return binary.LittleEndian.Uint32(field)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if field := r.next(8); field != nil {
		return binary.LittleEndian.Uint64(field)
	}
	return 0
}

func (r *reader) float() float64 { return math.Float64frombits(r.uint64()) }

func (r *reader) uvarint() uint64 {
	// Most numbers are one byte.
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		number := uint64(r.rest[0])
		r.rest = r.rest[1:]
		return number
	}

	// The others, of which a damaged one has no width.
	number, width := binary.Uvarint(r.rest)
	if width <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[width:]
	return number
}

func (r *reader) varint() int64 {
	number := r.uvarint()
	return int64(number>>1) ^ -int64(number&1)
}

// field reads a length and so many bytes.
func (r *reader) field() []byte {
	size := r.uvarint()
	if size > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	return r.next(int(size))
}

// end returns the error, also that of bytes that are left.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = ErrPartial
	}
	return r.err
}

func appendFloat(b []byte, number float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(number))
}

// appendField appends a length and so many bytes.
func appendField(b, field []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(field))), field...)
}
