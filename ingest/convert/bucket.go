package convert

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/aitgithub/telemetry-server/layout/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// buckets writes the counts of the values object at text[i], one for every
// bound, each followed by a comma, and returns the offset behind the object.
func (c *Converter) buckets(text []byte, i int, name []byte, bounds []int) (end int, err error) {
	mark := len(c.out)
	if end, ok := c.bucketsInOrder(text, i, bounds); ok {
		return end, nil
	}
	c.out = c.out[:mark]
	return c.bucketsInAnyOrder(text, i, name, bounds)
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

// bucketsInAnyOrder is bucketsInOrder for all of JSON, and says what is wrong.
func (c *Converter) bucketsInAnyOrder(text []byte, i int, name []byte, bounds []int) (end int, err error) {
	if text[i] != '{' {
		return i, badConversion(fmt.Sprintf("Not an object: histograms.%s.values", name))
	}
	cells := slices.Grow(c.hist.cells[:0], len(bounds))[:len(bounds)]
	c.hist.cells = cells
	clear(cells)
	bad := func(what string, key, count []byte) error {
		s := fmt.Sprintf("Found %s %s.values[%s]", what, name, key)
		if count != nil {
			s += " = '" + python(count) + "'"
		}
		return reject(ClassBadPayload, s)
	}
	it := jsonscan.Members(text, i)
	for it.Next() {
		count := it.Value()
		if it.Err() != nil {
			break
		}
		key := it.Name()
		n, ok := jsonscan.Int(count)
		switch {
		case !ok:
			return i, bad("non-integer bucket value:", key, count)
		case n < 0:
			return i, bad("negative bucket value:", key, count)
		}
		bound, ok := jsonscan.Int(key)
		at, found := slices.BinarySearch(bounds, int(bound))
		if !ok || !found {
			return i, bad("invalid bucket", key, nil)
		}
		cells[at] = count
	}
	if err := it.Err(); err != nil {
		return i, badJSON(err)
	}
	for _, count := range cells {
		if count == nil {
			c.out = append(c.out, "0,"...)
		} else {
			c.out = append(append(c.out, count...), ',')
		}
	}
	return it.After(), nil
}

// nameSet is names of histograms that have a definition.
type nameSet struct {
	walk []uint32 // by definition, and then by whether it is a STARTUP_ copy: in which set it is
	now  uint32   // this set
}

func (s *nameSet) clear() {
	if s.now++; s.now == 0 {
		clear(s.walk)
		s.now = 1
	}
}

// add says whether a name, whose definition is d, is in the set, and adds it.
func (s *nameSet) add(name []byte, d *revisions.Definition) bool {
	i := 2 * d.Index
	if len(name) > len(d.Name) {
		i++
	}
	if i >= len(s.walk) {
		s.walk = append(s.walk, make([]uint32, i+1-len(s.walk))...)
	}
	before := s.walk[i]
	s.walk[i] = s.now
	return before == s.now
}

// keepLast removes, from the object that begins at out[i] and ends out, every
// member that has a later namesake.
func keepLast(out []byte, i int) []byte {
	var o object
	if _, err := o.index(out, i, nil); err != nil {
		return out
	}
	if o.supersede(); o.superseded == nil {
		return out
	}
	kept := append(make([]byte, 0, len(out)-i), '{')
	for k, m := range o.members {
		if !o.counts(k) {
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(append(append(kept, '"'), m.key...), `":`...)
		kept = append(kept, out[m.start:m.end]...)
	}
	return append(append(out[:i], kept...), '}')
}
