package tables

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// sample is the values of the documents with the smallest hashes, at most size of them;
// the document's ID and the value order equal hashes. So a sample of any split is that of
// the whole. The partial is the number of them, and for each hash, ID and value.
type sample struct {
	size   int
	drawn  []drawn // sorted, unless dirty
	dirty  bool
	memory int
}

type drawn struct {
	hash  uint64
	id    []byte
	value []byte // a datum
}

func (a drawn) compare(b drawn) int {
	return cmp.Or(cmp.Compare(a.hash, b.hash), bytes.Compare(a.id, b.id), bytes.Compare(a.value, b.value))
}

func (s *sample) merge(partial []byte) error {
	r := reader{rest: partial}
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		one := drawn{hash: r.uint64(), id: r.field(), value: r.field()}

		// What comes after the last of a full sample cannot be drawn: do not copy it.
		if len(s.drawn) == s.size && !s.dirty && one.compare(s.drawn[s.size-1]) >= 0 {
			continue
		}

		// The partial result's memory is used again, so copy what stays.
		one.id = bytes.Clone(one.id)
		one.value = bytes.Clone(one.value)
		s.drawn = append(s.drawn, one)
		s.memory += 80 + len(one.id) + len(one.value)
		s.dirty = true

		// Sorting now and then drops what is not drawn, so that memory is bounded.
		if len(s.drawn) >= 2*s.size+16 {
			s.settle()
		}
	}
	return r.end()
}

// settle sorts, and drops what is beyond the size.
func (s *sample) settle() {
	if s.dirty {
		slices.SortFunc(s.drawn, drawn.compare)
		for len(s.drawn) > s.size {
			last := s.drawn[len(s.drawn)-1]
			s.memory -= 80 + len(last.id) + len(last.value)
			s.drawn = s.drawn[:len(s.drawn)-1]
		}
		s.dirty = false
	}
}

func (s *sample) append(b []byte) []byte {
	s.settle()
	b = binary.AppendUvarint(b, uint64(len(s.drawn)))
	for _, one := range s.drawn {
		b = appendField(appendField(binary.LittleEndian.AppendUint64(b, one.hash), one.id), one.value)
	}
	return b
}

func (s *sample) bytes() int { return 64 + s.memory }

// rows calls write with the cells of each value: the document's ID and the value.
func (s *sample) rows(write func(cells []byte) error) error {
	s.settle()
	var cells []byte
	for _, one := range s.drawn {
		cells = append(datum.AppendString(cells[:0], one.id), one.value...)
		if err := write(cells); err != nil {
			return err
		}
	}
	return nil
}
