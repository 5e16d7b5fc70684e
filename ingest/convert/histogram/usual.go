package histogram

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// usual is careful for what browsers send: the members in their order, the defined
// bucketing, no whitespace. It gives up on everything else, and has written garbage
// then.
func (rw *Rewriter) usual(text []byte, i int, definition *revisions.Definition) (end int, ok bool) {
	opening := definition.Opening()
	if opening == nil || !bytes.HasPrefix(text[i:], opening) {
		return i, false
	}

	rw.out = append(rw.out, '[')
	i, ok = rw.bucketsInOrder(text, i+len(opening), definition.Bounds())
	if !ok {
		return i, false
	}

	i, ok = rw.sum(text, i, `,"sum":`)
	if !ok {
		return i, false
	}

	// Then the histogram ends, or the logarithmic sums follow, or the squares.
	const missing = "-1,-1"
	switch {
	case text[i] == '}':
		rw.out = append(rw.out, missing+","+missing...)
	case bytes.HasPrefix(text[i:], []byte(`,"l`)):
		i, ok = rw.sum(text, i, `,"log_sum":`)
		if ok {
			i, ok = rw.sum(text, i, `,"log_sum_squares":`)
		}
		rw.out = append(rw.out, missing...)
	default:
		rw.out = append(rw.out, missing+","...)
		i, ok = rw.sum(text, i, `,"sum_squares_lo":`)
		if ok {
			i, ok = rw.sum(text, i, `,"sum_squares_hi":`)
		}
		rw.out = rw.out[:len(rw.out)-1] // the last comma
	}
	if !ok || text[i] != '}' {
		return i, false
	}

	rw.out = append(rw.out, ']')
	return i + 1, true
}

// sum writes the number behind the name at text[i], and a comma. If ok, the
// result is an offset in text.
func (rw *Rewriter) sum(text []byte, i int, name string) (end int, ok bool) {
	if len(text)-i < len(name) || string(text[i:i+len(name)]) != name {
		return i, false
	}
	i += len(name)

	end, ok = shortInteger(text, i)
	if !ok {
		// Give up on a space, say, before Number makes an error of it, which costs more.
		if i == len(text) || text[i] != '-' && text[i]-'0' > 9 {
			return i, false
		}

		var err error
		end, _, err = jsonscan.Number(text, i)
		if err != nil || end >= len(text) {
			return end, false
		}
	}
	rw.out = append(append(rw.out, text[i:end]...), ',')
	return end, true
}

// shortInteger returns the offset behind the number at text[i] if it is an integer
// without sign of at most eight digits, as most sums are. It is inlined, and Number is
// not.
func shortInteger(text []byte, i int) (end int, ok bool) {
	end = i
	for end < len(text) && end-i < 9 && text[end]-'0' <= 9 {
		end++
	}
	known := end > i && end-i < 9 && end < len(text) && (text[end] == ',' || text[end] == '}')
	return end, known && (text[i] != '0' || end-i == 1)
}

// bucketsInOrder writes what browsers send: {"0":5,"10":22}, ascending, without
// whitespace. It gives up on everything else.
func (rw *Rewriter) bucketsInOrder(text []byte, i int, bounds []int) (end int, ok bool) {
	if i+1 >= len(text) || text[i] != '{' {
		return i, false
	}

	out := rw.out // in a register, for speed
	next := 0     // the first bound that has not been written
	i++
	for text[i] != '}' || next > 0 {
		// The key is the bound, at most nine digits in quotes.
		if text[i] != '"' {
			return i, false
		}
		i++

		bound, from := 0, i
		for i < len(text) && text[i]-'0' <= 9 {
			bound = bound*10 + int(text[i]-'0')
			i++
		}
		if i-from < 1 || i-from > 9 || i+2 >= len(text) || text[i] != '"' || text[i+1] != ':' {
			return i, false
		}

		// The count is copied as it is spelled, at most eighteen digits.
		i += 2
		from = i
		for i < len(text) && text[i]-'0' <= 9 {
			i++
		}
		if i-from < 1 || i-from > 18 || text[from] == '0' && i-from > 1 || i+1 >= len(text) {
			return i, false
		}

		// The buckets between the one before and this one are empty.
		at := next
		for at < len(bounds) && bounds[at] < bound {
			at++
		}
		if at == len(bounds) || bounds[at] != bound {
			return i, false
		}

		out = appendZeros(out, at-next)
		if i-from == 1 {
			out = append(out, text[from], ',')
		} else {
			out = append(append(out, text[from:i]...), ',')
		}
		next = at + 1

		if text[i] == '}' {
			break
		}
		if text[i] != ',' {
			return i, false
		}
		i++
	}
	rw.out = appendZeros(out, len(bounds)-next)
	return i + 1, true
}

// zeros is what an empty bucket writes, many times.
var zeros = bytes.Repeat([]byte("0,"), 1<<10)

// appendZeros appends n empty buckets.
func appendZeros(out []byte, n int) []byte {
	for n > len(zeros)/2 {
		out = append(out, zeros...)
		n -= len(zeros) / 2
	}
	return append(out, zeros[:2*n]...)
}
