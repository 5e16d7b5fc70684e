package convert

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Histograms as browsers send them are converted here, fast. All else is given
// up on, and done again by histogram.go and bucket.go, which know all of JSON and
// say what is wrong.

// usualHistogram is histogram for what browsers send: the members in their order,
// the defined layout, no whitespace. It gives up on all else, and what it wrote
// is garbage then.
func (c *Converter) usualHistogram(text []byte, i int, d *revisions.Definition) (end int, ok bool) {
	open := d.Opening()
	if open == nil || !bytes.HasPrefix(text[i:], open) {
		return i, false
	}
	c.out = append(c.out, '[')
	if i, ok = c.bucketsInOrder(text, i+len(open), d.Bounds()); !ok {
		return i, false
	}
	if i, ok = c.sum(text, i, `,"sum":`); !ok {
		return i, false
	}
	const none = "-1,-1"
	switch {
	case text[i] == '}':
		c.out = append(c.out, none+","+none...)
	case bytes.HasPrefix(text[i:], []byte(`,"l`)):
		if i, ok = c.sum(text, i, `,"log_sum":`); ok {
			i, ok = c.sum(text, i, `,"log_sum_squares":`)
		}
		c.out = append(c.out, none...)
	default:
		c.out = append(c.out, none+","...)
		if i, ok = c.sum(text, i, `,"sum_squares_lo":`); ok {
			i, ok = c.sum(text, i, `,"sum_squares_hi":`)
		}
		c.out = c.out[:len(c.out)-1]
	}
	if !ok || text[i] != '}' {
		return i, false
	}
	c.out = append(c.out, ']')
	return i + 1, true
}

// sum writes the number behind the name at text[i], and a comma. If ok, the
// result is an offset in text.
func (c *Converter) sum(text []byte, i int, name string) (end int, ok bool) {
	if len(text)-i < len(name) || string(text[i:i+len(name)]) != name {
		return i, false
	}
	i += len(name)
	if i == len(text) || text[i] != '-' && text[i]-'0' > 9 { // such as a space: no error worth its words
		return i, false
	}
	end, _, err := jsonscan.Number(text, i)
	if err != nil || end >= len(text) {
		return end, false
	}
	c.out = append(append(c.out, text[i:end]...), ',')
	return end, true
}

// bucketsInOrder does what browsers send: {"0":5,"10":22}, ascending, without
// whitespace. It gives up on all else.
func (c *Converter) bucketsInOrder(text []byte, i int, bounds []int) (end int, ok bool) {
	if i+1 >= len(text) || text[i] != '{' {
		return i, false
	}
	out, next := c.out, 0 // the first bound that has not been written
	i++
	for text[i] != '}' || next > 0 {
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
		i += 2
		from = i
		for i < len(text) && text[i]-'0' <= 9 {
			i++
		}
		if i-from < 1 || i-from > 18 || text[from] == '0' && i-from > 1 || i+1 >= len(text) {
			return i, false
		}
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
	c.out = appendZeros(out, len(bounds)-next)
	return i + 1, true
}

// zeros is what an empty bucket writes, many times.
var zeros = bytes.Repeat([]byte("0,"), 1<<10)

func appendZeros(out []byte, n int) []byte {
	for n > len(zeros)/2 {
		out = append(out, zeros...)
		n -= len(zeros) / 2
	}
	return append(out, zeros[:2*n]...)
}
