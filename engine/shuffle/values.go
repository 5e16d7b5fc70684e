package shuffle

import (
	"encoding/binary"
	"errors"
)

var errMalformedRun = errors.New("malformed run")

// Values are the values of one key, in input order, read one after the other.
// Not safe for concurrent use.
type Values struct {
	pieces []piece
	n      int
	next   int    // index of the next piece
	rest   []byte // of the current one
}

// piece is some consecutive values of the key inside a block.
type piece struct {
	run        *run
	block      int
	off, bytes int    // of the values inside the block
	data       []byte // nil: read the block again
}

// Len returns how many values there are.
func (v *Values) Len() int { return v.n }

// Rewind makes Next return the first value again.
func (v *Values) Rewind() {
	v.next = 0
	v.rest = nil
}

// Next returns the next value, valid while the Values are, or nil after the last.
// Errors are those of reading a run that was spilled.
func (v *Values) Next() ([]byte, error) {
	// Go on to the next piece that has values.
	for len(v.rest) == 0 {
		if v.next == len(v.pieces) {
			return nil, nil
		}
		part := &v.pieces[v.next]
		v.next++
		v.rest = part.data

		// The merger has not held this one in memory.
		if part.run != nil && part.data == nil {
			block, err := part.run.load(part.block, nil)
			if err != nil {
				return nil, err
			}
			v.rest = block[part.off : part.off+part.bytes]
		}
	}

	size, width := binary.Uvarint(v.rest)
	if width <= 0 || uint64(len(v.rest)-width) < size {
		return nil, errMalformedRun
	}
	end := width + int(size)
	value := v.rest[width:end:end]
	v.rest = v.rest[end:]
	return value, nil
}
