package value

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// member is one property of a JSON object: offsets into the text, which is
// shorter than 2 GiB. It is 12 bytes where jsonscan.Member has 20: with that index
// script.BenchmarkMap/histogram took a tenth longer (2026-11-28).
type member struct {
	key, keyEnd int32 // between the quotes
	start       int32 // of the value
}

// name returns the member's name, without escapes.
func (m *member) name(text []byte) []byte { return jsonscan.Unquote(text[m.key:m.keyEnd]) }

// inner is the index of an object inside a ping, made in passing.
type inner struct {
	start int32
	list  []member
}

// index returns the members of the object at text[at] in document order; the list
// is the Runtime's again when the next ping begins. If deep, the objects that are
// its members are indexed on the way, for the price of skipping them. It also
// returns the offset behind the object.
func (r *Runtime) index(text []byte, at int, deep bool) (list []member, end int) {
	if spares := len(r.spare); spares > 0 {
		list = r.spare[spares-1][:0]
		r.spare = r.spare[:spares-1]
	}

	// A filter and a job may each have a view of the same ping.
	if deep {
		r.inner = r.inner[:0]
	}

	// Records were checked when they were converted.
	it := jsonscan.MembersTrusted(text, at)
	for it.Next() {
		// Back over the colon and any space to the end of the key.
		keyEnd := it.Start - 1
		for text[keyEnd] != '"' {
			keyEnd--
		}
		list = append(list, member{key: int32(keyEnd - len(it.Key)), keyEnd: int32(keyEnd), start: int32(it.Start)})

		if deep && text[it.Start] == '{' {
			sub, end := r.index(text, it.Start, false)
			r.inner = append(r.inner, inner{start: int32(it.Start), list: sub})
			it.SetEnd(end)
		}
	}
	if it.Err() != nil {
		r.Throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
	}

	r.lent = append(r.lent, list)
	return list, it.After()
}

// innerIndex returns the index of the object at offset i, if one was made in passing.
func (r *Runtime) innerIndex(i int) (list []member, ok bool) {
	// They were made in the order of the text.
	position, ok := slices.BinarySearchFunc(r.inner, int32(i), func(in inner, start int32) int { return cmp.Compare(in.start, start) })
	if !ok {
		return nil, false
	}
	return r.inner[position].list, true
}

// NextPing makes all views of the ping before stale and reuses their lists.
func (r *Runtime) NextPing() {
	r.gen++
	r.spare = append(r.spare, r.lent...)
	r.lent = r.lent[:0]
	r.inner = r.inner[:0]
}
