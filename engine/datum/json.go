package datum

import (
	"math"
	"strconv"
)

// AppendText appends d as the text formats show it: a string without quotes, a number
// as JavaScript prints it (NaN and the infinities too), anything else as JSON. An empty
// d is null.
func AppendText(b, d []byte) []byte {
	if len(d) == 0 {
		return append(b, "null"...)
	}

	switch Kind(d[0]) {
	case String:
		return append(b, Text(d)...)
	case Number:
		return appendFloat(b, Float(d))
	default:
		return AppendJSON(b, d)
	}
}

// AppendJSON appends d as minimal JSON; NaN and the infinities become null, as with
// JSON.stringify. At malformed bytes it stops.
func AppendJSON(b, d []byte) []byte {
	out := jsonWriter{b: b}

	for len(d) > 0 {
		kind, token, rest, err := Next(d)
		if err != nil || kind == End && len(out.open) == 0 {
			break
		}

		d = rest
		if kind == End {
			out.end()
		} else {
			out.begin(kind, token)
		}
	}
	return out.b
}

// jsonWriter writes one token after the other.
type jsonWriter struct {
	b    []byte
	open []container // that the next token is in
}

// container is an array or object that is being written.
type container struct {
	kind   Kind
	tokens int // written so far, to place commas and colons
}

// begin writes a scalar, or the opening of an array or object.
func (w *jsonWriter) begin(kind Kind, token []byte) {
	// Inside an object, names and values take turns.
	if depth := len(w.open); depth > 0 {
		in := &w.open[depth-1]
		switch {
		case in.tokens == 0:
		case in.kind == Object && in.tokens%2 == 1:
			w.b = append(w.b, ':')
		default:
			w.b = append(w.b, ',')
		}

		in.tokens++
	}

	// What opens an array or object makes it the innermost.
	switch kind {
	case Null:
		w.b = append(w.b, "null"...)
	case False:
		w.b = append(w.b, "false"...)
	case True:
		w.b = append(w.b, "true"...)
	case Number:
		number := Float(token)
		if math.IsNaN(number) || math.IsInf(number, 0) {
			w.b = append(w.b, "null"...)
		} else {
			w.b = appendFloat(w.b, number)
		}
	case String:
		w.b = appendJSONString(w.b, Text(token))
	case Array:
		w.b = append(w.b, '[')
		w.open = append(w.open, container{kind: kind})
	case Object:
		w.b = append(w.b, '{')
		w.open = append(w.open, container{kind: kind})
	}
}

// end closes the innermost array or object.
func (w *jsonWriter) end() {
	last := len(w.open) - 1
	if w.open[last].kind == Array {
		w.b = append(w.b, ']')
	} else {
		w.b = append(w.b, '}')
	}
	w.open = w.open[:last]
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

	// Neither very large nor very small.
	if size := math.Abs(f); size < 1e21 && size >= 1e-6 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}

	// Go writes e-07, JavaScript e-7.
	start := len(b)
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	if end := len(b); end-start > 4 && b[end-4] == 'e' && b[end-2] == '0' {
		b[end-2] = b[end-1]
		b = b[:end-1]
	}
	return b
}

// appendJSONString quotes s as JSON.stringify does: only quotes, backslashes
// and control characters are escaped.
func appendJSONString(b, s []byte) []byte {
	// Most strings need no escape: copy these at once.
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

	// The escapes that JSON.stringify writes; control characters without one get \u00xx.
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
