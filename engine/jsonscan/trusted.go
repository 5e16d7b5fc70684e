package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// SkipTrusted returns the offset after the value that begins at or, after
// whitespace, behind b[i]. It reads brackets and quotes only, so b must be text
// that Skip has accepted; for any other text the result is some offset in
// [i, len(b)], and there is no panic.
func SkipTrusted(b []byte, i int) (end int) {
	i = Space(b, i)
	if i >= len(b) {
		return len(b)
	}

	switch b[i] {
	case '"':
		return StringTrusted(b, i)
	case '{':
		return skipNested(b, i+1, 1)
	case '[':
		// Most arrays are flat lists of numbers: then the next ']' ends it, and
		// neither a quote nor a '[' stands before.
		n := bytes.IndexByte(b[i+1:], ']')
		if n < 0 {
			return len(b)
		}
		if in := b[i+1 : i+1+n]; bytes.IndexByte(in, '"') < 0 && bytes.IndexByte(in, '[') < 0 {
			return i + n + 2
		}
		return skipNested(b, i+1, 1)
	}

	// A number or a literal.
	for i < len(b) && !ends[b[i]] {
		i++
	}
	return i
}

// ends are the bytes that may follow a number or a literal.
var ends = [256]bool{',': true, '}': true, ']': true, ' ': true, '\n': true, '\r': true, '\t': true, ':': true}

// stringLong is StringTrusted without the fast path for short strings.
func stringLong(b []byte, i int) (end int) {
	i++
	for {
		n := bytes.IndexByte(b[min(i, len(b)):], '"')
		if n < 0 {
			return len(b)
		}
		end = i + n

		// The quote is escaped by an odd number of backslashes.
		slashes := 0
		for k := end - 1; k >= i && b[k] == '\\'; k-- {
			slashes++
		}
		i = end + 1
		if slashes%2 == 0 {
			return i
		}
	}
}

// skipNested returns the offset behind the bracket that brings depth to zero.
func skipNested(b []byte, i, depth int) int {
	// Eight bytes at a time: find the next quote or bracket.
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		quote := x ^ (ones * '"')
		// Outside strings only brackets become 0x7f when these bits are set.
		bracket := (x | ones*0x26) ^ (ones * 0x7f)
		m := ((quote-ones)&^quote | (bracket-ones)&^bracket) & highs
		if m == 0 {
			i += 8
			continue
		}

		i += bits.TrailingZeros64(m) >> 3
		if b[i] == '"' {
			i = StringTrusted(b, i)
			continue
		}
		if b[i]&0x06 == 0x02 { // '[' or '{'
			depth++
		} else {
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}

	// The last bytes one by one.
	for i < len(b) {
		switch b[i] {
		case '"':
			i = StringTrusted(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(b)
}

// StringTrusted returns the offset after the string whose opening quote is at
// b[i]; b must be text that Skip has accepted. It is fastest on the short strings that
// names are.
func StringTrusted(b []byte, i int) int {
	k := i + 1
	for range 3 {
		if k+8 > len(b) {
			break
		}
		x := binary.LittleEndian.Uint64(b[k:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		if m := ((quote-ones)&^quote | (slash-ones)&^slash) & highs; m != 0 {
			k += bits.TrailingZeros64(m) >> 3
			if b[k] == '"' {
				return k + 1
			}
			break
		}
		k += 8
	}
	return stringLong(b, i)
}
