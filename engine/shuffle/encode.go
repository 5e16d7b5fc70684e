package shuffle

import (
	"encoding/binary"
	"errors"
)

// errEncoding is returned for bytes that AppendRuns has not written.
var errEncoding = errors.New("malformed encoding of runs")

// AppendRuns appends runs as bytes that DecodeRuns reads:
//
//	uvarint runs, and for each
//	    uvarint blocks, and for each   uvarint length · uvarint len(key) · first key
//	    uvarint length · entries
//
// The builders may be in a Store already.
func AppendRuns(b []byte, runs []*Builder) []byte {
	b = binary.AppendUvarint(b, uint64(len(runs)))
	for _, built := range runs {
		built.cut()

		b = binary.AppendUvarint(b, uint64(len(built.blocks)))
		for _, block := range built.blocks {
			b = binary.AppendUvarint(b, uint64(block.len))
			b = appendValue(b, []byte(block.first))
		}

		b = appendValue(b, built.buf)
	}
	return b
}

// DecodeRuns is the inverse of AppendRuns. The builders share the memory of b.
func DecodeRuns(b []byte) ([]*Builder, error) {
	in := decoder{rest: b}

	var runs []*Builder
	for left := in.number(); left > 0 && in.err == nil; left-- {
		// The blocks, one behind the other.
		built := &Builder{}
		off := 0
		for blocks := in.number(); blocks > 0 && in.err == nil; blocks-- {
			next := block{off: off, len: in.number()}
			next.first = string(in.bytes())
			off += next.len
			built.blocks = append(built.blocks, next)
		}

		// The entries, which the blocks must cover.
		built.buf = in.bytes()
		built.start = len(built.buf)
		if built.start != off && in.err == nil {
			in.err = errEncoding
		}
		runs = append(runs, built)
	}
	return runs, in.err
}

// decoder reads numbers and bytes until the first error.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) number() int {
	number, width := binary.Uvarint(d.rest)
	if width <= 0 || number > 1<<40 {
		d.err = errEncoding
		d.rest = nil
		return 0
	}
	d.rest = d.rest[width:]
	return int(number)
}

func (d *decoder) bytes() []byte {
	size := d.number()
	if size > len(d.rest) {
		d.err = errEncoding
		d.rest = nil
		return nil
	}

	field := d.rest[:size:size]
	d.rest = d.rest[size:]
	return field
}
