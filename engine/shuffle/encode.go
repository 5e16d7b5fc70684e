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
	for _, w := range runs {
		w.cut()
		b = binary.AppendUvarint(b, uint64(len(w.blocks)))
		for _, bl := range w.blocks {
			b = binary.AppendUvarint(b, uint64(bl.len))
			b = appendValue(b, []byte(bl.first))
		}
		b = appendValue(b, w.buf)
	}
	return b
}

// DecodeRuns is the inverse of AppendRuns. The builders share the memory of b.
func DecodeRuns(b []byte) ([]*Builder, error) {
	d := decoder{rest: b}
	var runs []*Builder
	for n := d.number(); n > 0 && d.err == nil; n-- {
		w := &Builder{}
		off := 0
		for k := d.number(); k > 0 && d.err == nil; k-- {
			bl := block{off: off, len: d.number()}
			bl.first = string(d.bytes())
			off += bl.len
			w.blocks = append(w.blocks, bl)
		}

		w.buf = d.bytes()
		w.start = len(w.buf)
		if w.start != off && d.err == nil {
			d.err = errEncoding
		}
		runs = append(runs, w)
	}
	return runs, d.err
}

// decoder reads numbers and bytes until the first error.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) number() int {
	n, width := binary.Uvarint(d.rest)
	if width <= 0 || n > 1<<40 {
		d.err = errEncoding
		d.rest = nil
		return 0
	}
	d.rest = d.rest[width:]
	return int(n)
}

func (d *decoder) bytes() []byte {
	n := d.number()
	if n > len(d.rest) {
		d.err = errEncoding
		d.rest = nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}
