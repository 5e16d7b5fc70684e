package datum

import (
	"math"
	"strconv"
)

// AppendText appends a datum as the text formats show it: a string without quotes, a number
// as JavaScript prints it (NaN and the infinities too), null and undefined as nothing,
// anything else as JSON. An empty datum is null.
func AppendText(dst, datum []byte) []byte {
	if len(datum) == 0 {
		return dst
	}

	switch Kind(datum[0]) {
	case Null, Undefined:
		return dst
	case String:
		return append(dst, Text(datum)...)
	case Number:
		return appendFloat(dst, Float(datum))
	default:
		return AppendJSON(dst, datum)
	}
}

// AppendMessage appends a datum as error messages show it: as JSON, but undefined, NaN and
// the infinities by their names.
func AppendMessage(dst, datum []byte) []byte {
	switch {
	case len(datum) > 0 && Kind(datum[0]) == Undefined:
		return append(dst, "undefined"...)
	case len(datum) > 0 && Kind(datum[0]) == Number:
		return appendFloat(dst, Float(datum))
	}
	return AppendJSON(dst, datum)
}

// AppendJSON appends a datum as minimal JSON; NaN, the infinities and undefined become
// null, as with JSON.stringify in an array. At malformed bytes it stops.
func AppendJSON(dst, datum []byte) []byte {
	out := jsonWriter{b: dst}

	for len(datum) > 0 {
		kind, token, rest, err := Next(datum)
		if err != nil || kind == End && len(out.open) == 0 {
			break
		}
		datum = rest

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
		case in.kind == Histogram && in.tokens < bucketingTokens:
			in.tokens++
			return
		case in.tokens == 0 || in.kind == Histogram && in.tokens == bucketingTokens:
		case in.kind == Object && in.tokens%2 == 1:
			w.b = append(w.b, ':')
		default:
			w.b = append(w.b, ',')
		}

		in.tokens++
	}

	switch kind {
	case Null, Undefined:
		w.b = append(w.b, "null"...)
	case False:
		w.b = append(w.b, "false"...)
	case True:
		w.b = append(w.b, "true"...)
	case Number:
		// JSON has no other numbers than finite ones.
		number := Float(token)
		if math.IsNaN(number) || math.IsInf(number, 0) {
			w.b = append(w.b, "null"...)
		} else {
			w.b = appendFloat(w.b, number)
		}
	case String:
		w.b = appendJSONString(w.b, Text(token))

	// What opens an array or object makes it the innermost.
	case Array, Histogram:
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
	if w.open[last].kind == Object {
		w.b = append(w.b, '}')
	} else {
		w.b = append(w.b, ']')
	}
	w.open = w.open[:last]
}

// appendFloat appends a number as ECMAScript's Number::toString does.
func appendFloat(dst []byte, number float64) []byte {
	// Integers are the most frequent numbers, and the fastest to print.
	switch {
	case math.IsNaN(number):
		return append(dst, "NaN"...)
	case math.IsInf(number, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(number, -1):
		return append(dst, "-Infinity"...)
	case number == math.Trunc(number) && math.Abs(number) < 1<<53:
		return strconv.AppendInt(dst, int64(number), 10)
	}

	// Neither very large nor very small.
	if size := math.Abs(number); size < 1e21 && size >= 1e-6 {
		return strconv.AppendFloat(dst, number, 'f', -1, 64)
	}

	// Go writes e-07, JavaScript e-7.
	start := len(dst)
	dst = strconv.AppendFloat(dst, number, 'e', -1, 64)
	if end := len(dst); end-start > 4 && dst[end-4] == 'e' && dst[end-2] == '0' {
		dst[end-2] = dst[end-1]
		dst = dst[:end-1]
	}
	return dst
}

// appendJSONString quotes a text as JSON.stringify does: only quotes, backslashes
// and control characters are escaped.
func appendJSONString(dst, text []byte) []byte {
	// Most strings need no escape: copy these at once.
	plain := true
	for _, char := range text {
		if char < 0x20 || char == '"' || char == '\\' || char >= 0x7f {
			plain = false
			break
		}
	}
	dst = append(dst, '"')
	if plain {
		return append(append(dst, text...), '"')
	}

	// The escapes that JSON.stringify writes; control characters without one get \u00xx.
	const hex = "0123456789abcdef"
	for _, char := range text {
		switch {
		case char == '"' || char == '\\':
			dst = append(dst, '\\', char)
		case char == '\n':
			dst = append(dst, `\n`...)
		case char == '\t':
			dst = append(dst, `\t`...)
		case char == '\r':
			dst = append(dst, `\r`...)
		case char == '\b':
			dst = append(dst, `\b`...)
		case char == '\f':
			dst = append(dst, `\f`...)
		case char < 0x20:
			dst = append(dst, `\u00`...)
			dst = append(dst, hex[char>>4], hex[char&15])
		default:
			dst = append(dst, char)
		}
	}

	return append(dst, '"')
}
