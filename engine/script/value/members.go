package value

import (
	"fmt"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// member is one property of a JSON object: offsets into the text, which is
// shorter than 2 GiB.
type member struct {
	key, keyEnd int32 // between the quotes
	start       int32 // of the value
}

// inner is the index of an object inside a ping, made in passing.
type inner struct {
	start int32
	list  []member
}

// members returns the properties of the object at text[i] in document order;
// the list is the Runtime's again when the next ping begins. If deep, the objects
// that are its members are indexed on the way, for the price of skipping them.
func (r *Runtime) members(text []byte, i int, deep bool) []member {
	list, _ := r.indexMembers(text, i, deep)
	return list
}

// indexMembers returns also the offset behind the object.
func (r *Runtime) indexMembers(text []byte, i int, deep bool) (list []member, end int) {
	if n := len(r.spare); n > 0 {
		list = r.spare[n-1][:0]
		r.spare = r.spare[:n-1]
	}

	it := jsonscan.MembersTrusted(text, i)
	for it.Next() {
		// The key's end is behind the value's start: back over the colon and any space.
		keyEnd := it.Start - 1
		for text[keyEnd] != '"' {
			keyEnd--
		}
		list = append(list, member{key: int32(keyEnd - len(it.Key)), keyEnd: int32(keyEnd), start: int32(it.Start)})

		if deep && it.Start < len(text) && text[it.Start] == '{' {
			sub, end := r.indexMembers(text, it.Start, false)
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
	for k := range r.inner {
		if r.inner[k].start == int32(i) {
			list, ok = r.inner[k].list, true
		}
	}
	return list, ok
}

// NextPing makes all views of the ping before stale and reuses their lists.
func (r *Runtime) NextPing() {
	r.gen++
	r.spare = append(r.spare, r.lent...)
	r.lent = r.lent[:0]
	r.inner = r.inner[:0]
}
