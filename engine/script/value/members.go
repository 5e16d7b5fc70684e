package value

import (
	"fmt"
	"iter"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// inner is the index of an object inside a ping, made in passing.
type inner struct {
	start int
	index jsonscan.Object
}

// index indexes the members of the object at text[i]; the list is the Runtime's
// again when the next ping begins. If deep, the objects that are its members are
// indexed on the way, for the price of skipping them. It also returns the offset
// behind the object.
func (r *Runtime) index(text []byte, i int, deep bool) (index jsonscan.Object, end int) {
	if n := len(r.spare); n > 0 {
		index.Members = r.spare[n-1]
		r.spare = r.spare[:n-1]
	}

	index.Reset(text)

	// Records were checked when they were converted.
	members := jsonscan.MembersTrusted(text, i)
	for members.Next() {
		if deep && text[members.Start] == '{' {
			sub, end := r.index(text, members.Start, false)
			r.inner = append(r.inner, inner{members.Start, sub})
			members.SetEnd(end)
		}
		index.Add(&members, true)
	}

	if members.Err() != nil {
		r.Throw(fmt.Errorf("%w: %w", errJSON, members.Err()))
	}

	r.lent = append(r.lent, index.Members)
	return index, members.After()
}

// innerIndex returns the index of the object at offset i, if one was made in passing.
func (r *Runtime) innerIndex(i int) (index jsonscan.Object, ok bool) {
	for k := range r.inner {
		if r.inner[k].start == i {
			return r.inner[k].index, true
		}
	}
	return jsonscan.Object{}, false
}

// NextPing makes all views of the ping before stale and reuses their lists.
func (r *Runtime) NextPing() {
	r.gen++
	r.spare = append(r.spare, r.lent...)
	r.lent = r.lent[:0]
	r.inner = r.inner[:0]
}

// distinct yields the names of an object, each with its member. A name that comes
// twice has its last value, at the first's place, as JSON.parse does it.
func distinct(index *jsonscan.Object) iter.Seq2[string, *jsonscan.Member] {
	return func(yield func(string, *jsonscan.Member) bool) {
		var last map[string]*jsonscan.Member // of the names not yielded yet
		if index.Repeats() {
			last = make(map[string]*jsonscan.Member, len(index.Members))
			for i := range index.Members {
				m := &index.Members[i]
				last[string(jsonscan.Unquote(index.Key(m)))] = m
			}
		}

		// Without repeats, which is all but always, every member counts.
		for i := range index.Members {
			m := &index.Members[i]
			name := string(jsonscan.Unquote(index.Key(m)))
			if last != nil {
				if m = last[name]; m == nil {
					continue
				}
				delete(last, name)
			}
			if !yield(name, m) {
				return
			}
		}
	}
}
