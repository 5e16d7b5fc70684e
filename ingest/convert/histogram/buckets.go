package histogram

import (
	"bytes"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// buckets writes the counts of the values object at text[start], one for every
// bound, each followed by a comma, and returns the offset behind the object.
func (rw *Rewriter) buckets(text []byte, start int, name []byte, bounds []int) (end int, err error) {
	mark := len(rw.out)
	if end, ok := rw.bucketsInOrder(text, start, bounds); ok {
		return end, nil
	}
	rw.out = rw.out[:mark]
	return rw.bucketsInAnyOrder(text, start, name, bounds)
}

// bucketsInAnyOrder is bucketsInOrder for all of JSON, and says what is wrong.
func (rw *Rewriter) bucketsInAnyOrder(text []byte, start int, name []byte, bounds []int) (end int, err error) {
	if text[start] != '{' {
		return start, &Error{Fault: ValuesNotObject, Histogram: string(name)}
	}
	bad := func(fault Fault, key, count []byte) (int, error) {
		return start, &Error{Fault: fault, Histogram: string(name), Place: string(key), Value: bytes.Clone(count)}
	}

	// Sort the counts into their cells. Of a bucket that comes twice the last counts.
	rw.cells = slices.Grow(rw.cells[:0], len(bounds))[:len(bounds)]
	clear(rw.cells)

	it := jsonscan.Members(text, start)
	for it.Next() {
		count := it.Value()
		if it.Err() != nil {
			break
		}

		key := it.Name()
		n, ok := jsonscan.Int(count)
		switch {
		case !ok:
			return bad(CountNotInteger, key, count)
		case n < 0:
			return bad(CountNegative, key, count)
		}

		bound, ok := jsonscan.Int(key)
		at, found := slices.BinarySearch(bounds, int(bound))
		if !ok || !found {
			return bad(UnknownBucket, key, nil)
		}
		rw.cells[at] = count
	}
	if err := it.Err(); err != nil {
		return start, err
	}

	for _, count := range rw.cells {
		if count == nil {
			rw.out = append(rw.out, "0,"...)
		} else {
			rw.out = append(append(rw.out, count...), ',')
		}
	}
	return it.After(), nil
}
