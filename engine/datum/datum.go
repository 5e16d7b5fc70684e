// Package datum encodes the keys and values that pass between mappers,
// combiners and reducers: null, booleans, numbers, strings, arrays, (as values
// only) objects and histograms, and undefined, which is what a script reads where a member is
// missing. The encoding keeps order: bytes.Compare of two encoded keys orders
// null < false < true < numbers < strings < arrays < undefined, numbers by
// value, strings by code point, arrays element by element. Equal data have
// equal bytes.
//
//	null 0x02 · false 0x03 · true 0x04
//	number 0x05 + 8 bytes: the IEEE bits, all flipped when negative, else the sign flipped
//	string 0x06 + UTF-8 with 00 as 00 FF, then 00 01
//	array  0x07 + elements + 0x01
//	object 0x08 + (string, datum)… + 0x01
//	undefined 0x09
//	histogram 0x0a + its bucketing (see histogram.go) + its numbers + 0x01; a value only
package datum

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
)

// Kind is the first byte of an encoded datum.
type Kind byte

// The kinds, in key order. End closes an array or object and is no datum.
const (
	End Kind = iota + 1
	Null
	False
	True
	Number
	String
	Array
	Object
	Undefined
	Histogram
)

// MaxDepth bounds how deep arrays and objects may nest.
const MaxDepth = 200

// ErrMalformed is returned for bytes that are no datum.
var ErrMalformed = errors.New("malformed datum")

// AppendNull appends the null datum.
func AppendNull(b []byte) []byte { return append(b, byte(Null)) }

// AppendUndefined appends the datum of a missing value.
func AppendUndefined(b []byte) []byte { return append(b, byte(Undefined)) }

// AppendBool appends a boolean.
func AppendBool(b []byte, value bool) []byte {
	if value {
		return append(b, byte(True))
	}
	return append(b, byte(False))
}

// AppendNumber appends a number. -0 becomes 0 and every NaN the same NaN, which
// sorts after +Inf.
func AppendNumber(b []byte, number float64) []byte {
	// Equal data must have equal bytes, but -0 and the many NaNs have bits of their own.
	if number == 0 {
		number = 0
	}
	if number != number {
		number = math.NaN()
	}

	// Bits of floats order like integers, except that the sign comes first and orders
	// negative numbers backwards.
	bits := math.Float64bits(number)
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}

	return binary.BigEndian.AppendUint64(append(b, byte(Number)), bits)
}

// AppendString appends a string, which should be UTF-8.
func AppendString[T string | []byte](b []byte, text T) []byte {
	b = append(b, byte(String))
	for start := 0; ; {
		// Copy up to the next zero byte, which gets a mark behind it.
		end := start
		for end < len(text) && text[end] != 0 {
			end++
		}
		b = append(b, text[start:end]...)

		if end == len(text) {
			return append(b, 0, 1)
		}
		b = append(b, 0, 0xff)
		start = end + 1
	}
}

// AppendKind appends the opening of an Array or Object, or the End of one.
func AppendKind(b []byte, k Kind) []byte { return append(b, byte(k)) }

// Float returns the number that b, a Number of 9 bytes, encodes.
func Float(b []byte) float64 {
	// The reverse of AppendNumber: a set sign bit means that the number was positive.
	bits := binary.BigEndian.Uint64(b[1:9])
	if bits>>63 != 0 {
		bits &^= 1 << 63
	} else {
		bits = ^bits
	}
	return math.Float64frombits(bits)
}

// Text returns the string that b, a String with its terminator, encodes; it
// shares b's memory where it can.
func Text(b []byte) []byte {
	text := b[1 : len(b)-2]
	if bytes.IndexByte(text, 0) < 0 {
		return text
	}
	return bytes.ReplaceAll(text, []byte{0, 0xff}, []byte{0})
}

// Next splits off the first token of what is encoded: a scalar datum, the opening byte of an
// array or object, or the End byte of one. Errors are ErrMalformed.
func Next(encoded []byte) (kind Kind, token, rest []byte, err error) {
	if len(encoded) == 0 {
		return 0, nil, nil, ErrMalformed
	}

	// The kind says how long the token is.
	size := 1
	kind = Kind(encoded[0])
	switch kind {
	case End, Null, False, True, Array, Object, Undefined, Histogram:
	case Number:
		size = 9
	case String:
		size = stringSize(encoded)
	default:
		return 0, nil, nil, ErrMalformed
	}

	if size == 0 || size > len(encoded) {
		return 0, nil, nil, ErrMalformed
	}
	return kind, encoded[:size], encoded[size:], nil
}

// stringSize returns the bytes of the String that encoded begins with, 0 if it is malformed.
func stringSize(encoded []byte) int {
	size := 1
	for {
		zero := bytes.IndexByte(encoded[size:], 0)
		if zero < 0 || size+zero+1 >= len(encoded) {
			return 0
		}

		// The byte behind a zero says what the zero is.
		size += zero + 2
		switch encoded[size-1] {
		case 1: // the end
			return size
		case 0xff: // a zero byte of the string
		default:
			return 0
		}
	}
}

// Skip splits off the first whole datum of what is encoded.
func Skip(encoded []byte) (datum, rest []byte, err error) {
	// The datum is whole when all arrays and objects that it opened are closed.
	rest = encoded
	depth := 0 // of open arrays and objects
	for {
		var kind Kind
		if kind, _, rest, err = Next(rest); err != nil {
			return nil, nil, err
		}

		switch kind {
		case Array, Object, Histogram:
			depth++
		case End:
			depth--
		}

		if depth < 0 || depth > MaxDepth {
			return nil, nil, ErrMalformed
		}
		if depth == 0 {
			return encoded[:len(encoded)-len(rest)], rest, nil
		}
	}
}

// HasUndefined reports whether d is undefined, or an array or object with undefined in it.
func HasUndefined(d []byte) bool {
	if len(d) == 0 {
		return false
	}

	// Of a scalar, which most data are, the first byte says all.
	if kind := Kind(d[0]); kind != Array && kind != Object {
		return kind == Undefined
	}

	// Few arrays and objects have such a byte.
	if bytes.IndexByte(d, byte(Undefined)) < 0 {
		return false
	}

	// The byte may belong to a number or a string.
	for len(d) > 0 {
		kind, _, rest, err := Next(d)
		if err != nil {
			return false
		}
		if kind == Undefined {
			return true
		}
		d = rest
	}
	return false
}

// Elements yields the elements of an Array datum, or the names and values of an
// Object one after the other. It yields nothing more at malformed bytes.
func Elements(array []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		if len(array) == 0 {
			return
		}

		for left := array[1:]; len(left) > 0 && Kind(left[0]) != End; {
			element, rest, err := Skip(left)
			if err != nil || !yield(element) {
				return
			}
			left = rest
		}
	}
}
