package jsonscan

import "bytes"

// Member is where a member of an object lies: offsets into the text, which is
// shorter than 2 GiB.
type Member struct {
	// Key and KeyEnd enclose the name as written, without its quotes.
	Key, KeyEnd int32
	// Start and End enclose the value.
	Start, End int32
	// Unchecked says that the value was only skipped, so that it may be anything.
	Unchecked bool
}

// Object is an index of one object's members. The zero Object is empty and ready.
// It aliases the text, and pointers to its members are valid until the next Reset.
// Not safe for concurrent use.
type Object struct {
	// Members are in document order, those with repeated names too. The owner may
	// exchange the slice for one of its own before Reset, to use memory again.
	Members []Member

	text       []byte
	resolved   bool   // superseded is computed
	superseded []bool // by member: a later one has its name; nil if all names differ
}

// Reset empties the index, for an object in text.
func (o *Object) Reset(text []byte) {
	o.Members = o.Members[:0]
	o.text = text
	o.resolved, o.superseded = false, nil
}

// Add appends the current member of it, an Iter over the text. Unchecked says that
// the caller has set the end of a value that it did not check.
func (o *Object) Add(it *Iter, unchecked bool) {
	end := it.End()
	o.Members = append(o.Members, Member{
		Key: int32(it.keyStart), KeyEnd: int32(it.keyStart + len(it.Key)),
		Start: int32(it.Start), End: int32(end),
		Unchecked: unchecked,
	})
}

// Index checks the object at text[i], indexes it, and returns the offset behind
// it. The error is a *SyntaxError.
func (o *Object) Index(text []byte, i int) (end int, err error) {
	o.Reset(text)
	it := Members(text, i)
	for it.Next() {
		o.Add(&it, false)
	}
	return it.After(), it.Err()
}

// Key returns the name of a member as written, without its quotes.
func (o *Object) Key(m *Member) []byte { return o.text[m.Key:m.KeyEnd] }

// Value returns the text of a member's value.
func (o *Object) Value(m *Member) []byte { return o.text[m.Start:m.End] }

// Find returns the member with this name, the last one if there are several; nil
// if no member has it.
func (o *Object) Find(name string) *Member {
	for i := len(o.Members) - 1; i >= 0; i-- {
		m := &o.Members[i]
		if Is(o.Key(m), name) {
			return m
		}
	}
	return nil
}

// Counts says whether no later member has the name of member i.
func (o *Object) Counts(i int) bool {
	o.resolve()
	return o.superseded == nil || !o.superseded[i]
}

// Repeats says whether two members have the same name.
func (o *Object) Repeats() bool {
	o.resolve()
	return o.superseded != nil
}

// maxPairs is up to how many members every name is compared with every other,
// which is faster than a map and allocates nothing.
const maxPairs = 40

// resolve finds the members that have a later one with the same name.
func (o *Object) resolve() {
	if o.resolved {
		return
	}
	o.resolved = true
	if len(o.Members) <= maxPairs && !o.mayRepeat() {
		return
	}

	last := make(map[string]int, len(o.Members))
	for i := range o.Members {
		name := string(Unquote(o.Key(&o.Members[i])))
		if before, ok := last[name]; ok {
			if o.superseded == nil {
				o.superseded = make([]bool, len(o.Members))
			}
			o.superseded[before] = true
		}
		last[name] = i
	}
}

// mayRepeat says whether two names are spelled alike, or one has an escape and so
// may be another one spelled otherwise.
func (o *Object) mayRepeat() bool {
	for i := range o.Members {
		key := o.Key(&o.Members[i])
		if bytes.IndexByte(key, '\\') >= 0 {
			return true
		}
		for k := range i {
			if string(o.Key(&o.Members[k])) == string(key) {
				return true
			}
		}
	}
	return false
}

// Verify checks the values that are unchecked, and notes that they are checked.
// The error is a *SyntaxError.
func (o *Object) Verify() error {
	for i := range o.Members {
		m := &o.Members[i]
		if !m.Unchecked {
			continue
		}
		end, err := Skip(o.text, int(m.Start))
		if err == nil && end != int(m.End) {
			err = Valid(o.text) // skipping went astray, so the text has an error
		}
		if err != nil {
			return err
		}
		m.Unchecked = false
	}
	return nil
}
