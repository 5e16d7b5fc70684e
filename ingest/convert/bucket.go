package convert

import (
	"fmt"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
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
