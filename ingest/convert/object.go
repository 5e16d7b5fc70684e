package convert

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// member is where a member of an object lies in the text.
type member struct {
	key        []byte // as written, between the quotes
	start, end int    // of the value
	unchecked  bool   // the value was only skipped
}

// object is an index of one object's members, in document order, in memory that
// is used again.
type object struct {
	members    []member
	superseded []bool // by supersede: member i has a later namesake; nil if none has
}

// index reads the members of the object at text[i] and returns the offset behind
// it. All values are checked, except those with the names in lazy, which whoever
// takes them apart checks, or verify. done (or nil) is histograms whose end is
// known. The error is a *jsonscan.SyntaxError.
func (o *object) index(text []byte, i int, done *ahead, lazy ...string) (end int, err error) {
	o.members, o.superseded = o.members[:0], nil
	it := jsonscan.Members(text, i)
	for it.Next() {
		skipped := false
		for _, name := range lazy {
			if skipped = string(it.Key) == name; skipped {
				if done != nil && done.start == it.Start {
					it.SetEnd(done.end)
				} else {
					it.SetEnd(jsonscan.SkipTrusted(text, it.Start))
				}
				break
			}
		}
		o.members = append(o.members, member{it.Key, it.Start, it.End(), skipped})
	}
	return it.After(), it.Err()
}

// verify checks what index only skipped, but for the member that the caller has
// checked (or nil). The error is a *Rejection.
func (o *object) verify(text []byte, checked *member) error {
	for i := range o.members {
		m := &o.members[i]
		if !m.unchecked || m == checked {
			continue
		}
		if end, err := jsonscan.Skip(text, m.start); err != nil {
			return badJSON(err)
		} else if end != m.end {
			return badJSON(jsonscan.Valid(text)) // skipping went astray, so this is not nil
		}
	}
	return nil
}

// supersede finds members with the same name, of which only the last counts.
func (o *object) supersede() {
	double := false
	if len(o.members) <= 40 {
		for i, m := range o.members {
			if bytes.IndexByte(m.key, '\\') >= 0 {
				double = true // perhaps; found out below
			}
			for _, n := range o.members[:i] {
				double = double || string(n.key) == string(m.key)
			}
		}
		if !double {
			return
		}
	}
	last := make(map[string]int, len(o.members))
	for i, m := range o.members {
		name := string(jsonscan.Unquote(m.key))
		if before, ok := last[name]; ok {
			if o.superseded == nil {
				o.superseded = make([]bool, len(o.members))
			}
			o.superseded[before] = true
		}
		last[name] = i
	}
}

// counts says whether no later member has the name of member i.
func (o *object) counts(i int) bool { return o.superseded == nil || !o.superseded[i] }

// find returns the member with this name, the last one if there are several;
// nil if there is none.
func (o *object) find(name string) *member {
	for i := len(o.members) - 1; i >= 0; i-- {
		if jsonscan.Is(o.members[i].key, name) {
			return &o.members[i]
		}
	}
	return nil
}

// keepLast removes, from the object that begins at out[i] and ends out, every
// member that has a later namesake.
func keepLast(out []byte, i int) []byte {
	var o object
	if _, err := o.index(out, i, nil); err != nil {
		return out
	}
	if o.supersede(); o.superseded == nil {
		return out
	}
	kept := append(make([]byte, 0, len(out)-i), '{')
	for k, m := range o.members {
		if !o.counts(k) {
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(append(append(kept, '"'), m.key...), `":`...)
		kept = append(kept, out[m.start:m.end]...)
	}
	return append(append(out[:i], kept...), '}')
}
