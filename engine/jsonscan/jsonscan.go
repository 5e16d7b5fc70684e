// Package jsonscan walks JSON text in place: it finds where values begin and
// end without building anything. The converter uses it on submissions, which
// are not checked yet (strict), the lazy pings of scripts on stored records,
// which the converter has checked (trusted).
//
//	Skip, Valid          check a value and find its end
//	Members, Elements    walk an object or an array, value by value (Iter)
//	Object               an index of an object's members: by name, the last one counts
//	Unquote, Int, Float  decode a scalar
//
// Strict means RFC 8259: exactly one value, no NaN or Infinity, no control
// characters in strings, no unpaired brackets, and at most MaxDepth levels.
// Bytes from 0x80 up are not checked: call utf8.Valid first if the text must be
// UTF-8. A lone surrogate escape such as "\ud800" is legal text; it decodes to
// U+FFFD, as with encoding/json. Duplicate keys are legal too; Object knows which
// one counts.
//
// Offsets are always into the whole text. Nothing here allocates, except for
// errors and what an append grows.
//
// # The fence
//
// This package replaces encoding/json, whose check alone takes six times as long
// for the same text, and reading eight bytes at a time replaces reading them one by
// one. FuzzScan and TestValidAgreesWithEncodingJSON compare with encoding/json.
// BenchmarkSkip, beside json.Valid, pays for it: its rows are in
// docs/BENCHMARKS.md, 2026-11-28. Trusted walks read only quotes and brackets;
// FuzzScan compares them with strict ones, and BenchmarkSkip/trusted pays for them.
//
// # To add …
//
// A function that walks: an Iter or an Object is enough for most. One that reads
// several bytes at a time belongs into FuzzScan and BenchmarkSkip.
package jsonscan

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// MaxDepth is how many arrays and objects may be nested. Telemetry uses a
// dozen; the bound keeps the scanner's stack in a fixed array.
const MaxDepth = 512

// SyntaxError says what is wrong with a text, and where.
type SyntaxError struct {
	Offset int // bytes from the start of the text
	Reason string
}

// ControlCharacter is the Reason for an unescaped control character in a string.
const ControlCharacter = "invalid control character"

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset)
}

func syntax(b []byte, i int, want string) error {
	switch {
	case i >= len(b):
		return &SyntaxError{Offset: len(b), Reason: "unexpected end of JSON"}
	case b[i] >= 0x20 && b[i] < 0x7f:
		return &SyntaxError{Offset: i, Reason: fmt.Sprintf("unexpected %q, want %s", b[i], want)}
	}
	return &SyntaxError{Offset: i, Reason: fmt.Sprintf("unexpected byte 0x%02x, want %s", b[i], want)}
}

// Space returns the offset of the first byte at or after i that is not JSON
// whitespace; len(b) if all are.
func Space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// Indent is Space for what is often a line end and many spaces: it reads eight at a time.
func Indent(b []byte, i int) int {
	i = min(i+1, Space(b, i))
	for i+8 <= len(b) && binary.LittleEndian.Uint64(b[i:]) == ones*' ' {
		i += 8
	}
	return Space(b, i)
}

// Valid checks that b is one JSON value with nothing but whitespace around it.
// The error is a *SyntaxError.
func Valid(b []byte) error {
	i, err := Skip(b, 0)
	if err != nil {
		return err
	}
	i = Space(b, i)
	if i < len(b) {
		return syntax(b, i, "the end")
	}
	return nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// String checks the string whose opening quote is at b[i] and returns the
// offset after its closing quote. escaped says whether there is a backslash in
// it, so that without one b[i+1:end-1] is the value. The error is a
// *SyntaxError.
func String(b []byte, i int) (end int, escaped bool, err error) {
	if i >= len(b) || b[i] != '"' {
		return i, false, syntax(b, i, "a string")
	}
	i++
	for {
		// Find the end of the plain text, first eight bytes at a time.
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			// With this bit flipped a quote is 0x20, a space 0x22, and control bytes stay below.
			low, slash := x^(ones*2), x^(ones*'\\')
			// The lowest flag is exact: a quote, a backslash or a control byte.
			if m := ((low-ones*0x21)&^low | (slash-ones)&^slash) & highs; m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] >= 0x20 && b[i] != '"' && b[i] != '\\' {
			i++
		}

		switch {
		case i >= len(b):
			return i, escaped, syntax(b, i, "")
		case b[i] == '"':
			return i + 1, escaped, nil
		case b[i] < 0x20:
			return i, escaped, &SyntaxError{Offset: i, Reason: ControlCharacter}
		}
		escaped = true
		i, err = escape(b, i)
		if err != nil {
			return i, escaped, err
		}
	}
}

// escape returns the offset after the escape whose backslash is at b[i].
func escape(b []byte, i int) (int, error) {
	if i+1 >= len(b) {
		return i, syntax(b, i+1, "")
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		for k := i + 2; k < i+6; k++ {
			if k >= len(b) || hex(b[k]) < 0 {
				return k, syntax(b, k, "four hexadecimal digits")
			}
		}
		return i + 6, nil
	}
	return i, syntax(b, i+1, "an escape")
}

// Number checks the number that begins at b[i] and returns the offset after it.
// integer says that it has neither fraction nor exponent. The error is a
// *SyntaxError.
func Number(b []byte, i int) (end int, integer bool, err error) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b) || b[i]-'0' > 9:
		return i, false, syntax(b, i, "a digit")
	case b[i] == '0':
		i++ // no digit may follow
	default:
		i = digits(b, i)
	}

	integer = true
	if i < len(b) && b[i] == '.' {
		integer = false
		i++
		if i >= len(b) || b[i]-'0' > 9 {
			return i, false, syntax(b, i, "a digit")
		}
		i = digits(b, i)
	}

	if i < len(b) && b[i]|0x20 == 'e' {
		integer = false
		i++ // and a sign may follow
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if i >= len(b) || b[i]-'0' > 9 {
			return i, false, syntax(b, i, "a digit")
		}
		i = digits(b, i)
	}
	return i, integer, nil
}

// digits returns the offset of the first byte at or after i that is not a digit.
func digits(b []byte, i int) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:]) ^ ones*'0' // digits become 0 to 9
		if m := ((x + ones*(0x80-10)) | x) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

func literal(b []byte, i int, word string) (int, error) {
	for k := range len(word) {
		if i+k >= len(b) || b[i+k] != word[k] {
			return i + k, syntax(b, i+k, word)
		}
	}
	return i + len(word), nil
}

// Skip checks the value that begins at or, after whitespace, behind b[i] and
// returns the offset after it. The error is a *SyntaxError.
func Skip(b []byte, i int) (end int, err error) { return skip(b, i, MaxDepth) }

// skip is Skip for a value that may have so many levels.
func skip(b []byte, i, levels int) (end int, err error) {
	var objects [MaxDepth / 64]uint64 // bit d: the container at depth d is an object
	depth := 0
	object := false // the container at depth is an object
value:
	for {
		// b[i] is before a value.
		if depth > 0 && !object {
			i = skipDigits(b, i)
		}
		i = Space(b, i)
		if i >= len(b) {
			return i, syntax(b, i, "")
		}

		switch c := b[i]; {
		case c == '"':
			i, _, err = String(b, i)
		case c == '{' || c == '[':
			if depth == levels {
				return i, &SyntaxError{Offset: i, Reason: fmt.Sprintf("nested deeper than %d", MaxDepth)}
			}

			// Push the container.
			object = c == '{'
			if object {
				objects[depth>>6] |= 1 << (depth & 63)
			} else {
				objects[depth>>6] &^= 1 << (depth & 63)
			}
			depth++

			i = Space(b, i+1)
			if i < len(b) && b[i] == c+2 { // '{'+2 is '}', '['+2 is ']'
				break // empty; closed below
			}
			if object {
				i, err = key(b, i)
				if err != nil {
					return i, err
				}
			}
			continue value
		case c == '-' || c-'0' <= 9:
			i, _, err = Number(b, i)
		case c == 't':
			i, err = literal(b, i, "true")
		case c == 'f':
			i, err = literal(b, i, "false")
		case c == 'n':
			i, err = literal(b, i, "null")
		default:
			err = syntax(b, i, "a value")
		}
		if err != nil {
			return i, err
		}

		// b[i] is behind a value, or closes an empty container. Close as many
		// containers as end here.
		for depth > 0 {
			i = Space(b, i)

			switch {
			case i >= len(b):
				return i, syntax(b, i, "")
			case b[i] == ',':
				i++
				if object {
					i, err = key(b, Space(b, i))
					if err != nil {
						return i, err
					}
				}
				continue value
			case object && b[i] == '}' || !object && b[i] == ']':
				i++
				depth--
				if depth > 0 {
					object = objects[(depth-1)>>6]>>((depth-1)&63)&1 == 1
				}
			case object:
				return i, syntax(b, i, "',' or '}'")
			default:
				return i, syntax(b, i, "',' or ']'")
			}
		}
		return i, nil
	}
}

// skipDigits returns the offset after as many elements of an array, from the one
// at b[i] on, as are one digit and a comma: most buckets of most histograms are 0.
func skipDigits(b []byte, i int) int {
	const zeros = 0x2c30_2c30_2c30_2c30 // "0,0,0,0,"
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:]) ^ zeros // digits become 0 to 9, commas 0
		if ((x+0x0076_0076_0076_0076)|x)&0xff80_ff80_ff80_ff80 != 0 {
			break
		}
		i += 8
	}
	return i
}

// key returns the offset after the ':' that follows the member name at b[i].
func key(b []byte, i int) (int, error) {
	i, _, err := String(b, i)
	if err != nil {
		return i, err
	}
	i = Space(b, i)
	if i >= len(b) || b[i] != ':' {
		return i, syntax(b, i, "':'")
	}
	return i + 1, nil
}
