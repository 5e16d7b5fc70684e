package engine

import (
	"encoding/binary"
	"errors"
)

// heldBytes is how much of one key's values is kept in memory while they are
// read; the rest is read again from the runs. Only tests change it.
var heldBytes = 8 << 20

var errMalformedRun = errors.New("malformed run")

// Values are the values of one key, in input order, read one after the other.
// Not safe for concurrent use.
type Values struct {
	pieces []piece
	n      int
	piece  int    // the next piece
	rest   []byte // of the current one
}

// piece is some consecutive values of the key inside a block.
type piece struct {
	run        *run
	block      int
	off, bytes int    // of the values inside the block
	data       []byte // nil: read the block again
}

// memoryValues are n values that lie in memory.
func memoryValues(vals []byte, n int) *Values {
	return &Values{pieces: []piece{{data: vals}}, n: n}
}

// Len returns how many values there are.
func (v *Values) Len() int { return v.n }

// Rewind makes Next return the first value again.
func (v *Values) Rewind() { v.piece, v.rest = 0, nil }

// Next returns the next value, valid while the Values are, or nil after the last.
func (v *Values) Next() ([]byte, error) {
	for len(v.rest) == 0 {
		if v.piece == len(v.pieces) {
			return nil, nil
		}
		p := &v.pieces[v.piece]
		v.piece++
		v.rest = p.data
		if p.run != nil && p.data == nil {
			b, err := p.run.load(p.block, nil)
			if err != nil {
				return nil, err
			}
			v.rest = b[p.off : p.off+p.bytes]
		}
	}
	l, w := binary.Uvarint(v.rest)
	if w <= 0 || uint64(len(v.rest)-w) < l {
		return nil, errMalformedRun
	}
	value := v.rest[w : w+int(l) : w+int(l)]
	v.rest = v.rest[w+int(l):]
	return value, nil
}
