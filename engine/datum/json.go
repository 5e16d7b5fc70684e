package datum

import (
	"math"
	"strconv"
)

// AppendText appends d the way a table shows it: a string as it is, null as
// nothing, arrays and objects as JSON, numbers as JavaScript prints them.
func AppendText(b, d []byte) []byte {
	switch k := kindOf(d); k {
	case String:
		return append(b, Text(d)...)
	case Number:
		return appendFloat(b, Float(d))
	case Null, 0:
		return append(b, "null"...)
	default:
		return AppendJSON(b, d)
	}
}

// AppendJSON appends d as minimal JSON; NaN and the infinities become null, as
// JSON.stringify has it.
func AppendJSON(b, d []byte) []byte {
	var open []Kind
	n := 0 // tokens since the last opening, to place commas and colons
	var counts []int
	for len(d) > 0 {
		k, tok, rest, err := Next(d)
		if err != nil {
			return b
		}
		d = rest
		if k == End {
			if len(open) == 0 {
				return b
			}
			b = append(b, closing(open[len(open)-1]))
			n = counts[len(counts)-1]
			open, counts = open[:len(open)-1], counts[:len(counts)-1]
			continue
		}
		if len(open) > 0 && n > 0 {
			if open[len(open)-1] == Object && n%2 == 1 {
				b = append(b, ':')
			} else {
				b = append(b, ',')
			}
		}
		n++
		switch k {
		case Null:
			b = append(b, "null"...)
		case False:
			b = append(b, "false"...)
		case True:
			b = append(b, "true"...)
		case Number:
			if f := Float(tok); math.IsNaN(f) || math.IsInf(f, 0) {
				b = append(b, "null"...)
			} else {
				b = appendFloat(b, f)
			}
		case String:
			b = appendJSONString(b, Text(tok))
		case Array, Object:
			b = append(b, opening(k))
			open, counts = append(open, k), append(counts, n)
			n = 0
		}
	}
	return b
}

func opening(k Kind) byte {
	if k == Array {
		return '['
	}
	return '{'
}

func closing(k Kind) byte { return opening(k) + 2 }

func kindOf(d []byte) Kind {
	if len(d) == 0 {
		return 0
	}
	return Kind(d[0])
}

// appendFloat appends f as ECMAScript's Number::toString does.
func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return strconv.AppendInt(b, int64(f), 10)
	}
	if a := math.Abs(f); a >= 1e21 || a < 1e-6 {
		start := len(b)
		b = strconv.AppendFloat(b, f, 'e', -1, 64)
		// Go writes e-07, JavaScript e-7.
		if n := len(b); n-start > 4 && b[n-4] == 'e' && b[n-2] == '0' {
			b[n-2] = b[n-1]
			b = b[:n-1]
		}
		return b
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// appendJSONString quotes s as JSON.stringify does: only quotes, backslashes
// and control characters are escaped.
func appendJSONString(b, s []byte) []byte {
	plain := true
	for _, c := range s {
		if c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			plain = false
			break
		}
	}
	b = append(b, '"')
	if plain {
		return append(append(b, s...), '"')
	}
	const hex = "0123456789abcdef"
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c < 0x20:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
