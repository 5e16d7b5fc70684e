package jsonscan

// Iter walks the members of an object or the elements of an array, in document
// order:
//
//	for it := jsonscan.Members(b, i); it.Next(); {
//		… it.Key, b[it.Start:it.End()]
//	}
//
// A loop that ends without Err has reached the closing bracket, at After()-1.
// Not safe for concurrent use.
type Iter struct {
	// Key is the member's name as written, between its quotes and with its
	// escapes; nil for elements. It aliases the text.
	Key []byte
	// Start is the offset of the value's first byte, which is in the text.
	Start int

	b        []byte
	keyStart int // the offset of Key
	end      int // behind the value, or 0 as long as it is unknown
	at       int // where the next member is searched
	levels   int // that a value may have
	close    byte
	trusted  bool
	plain    bool // Key is known to have no escapes
	first    bool
	done     bool
	err      error
}

// Members returns the strict Iter of the object whose '{' is at or, after
// whitespace, behind b[i].
func Members(b []byte, i int) Iter { return newIter(b, i, '{', false) }

// Inner returns the strict Iter of the current value of a strict Iter, an object. Once it
// has ended without Err the value is checked as End does it, and ends at its After().
func (it *Iter) Inner() Iter {
	inner := Members(it.b, it.Start)
	inner.levels = it.levels - 1
	return inner
}

// Elements returns the strict Iter of the array whose '[' is at or behind b[i].
func Elements(b []byte, i int) Iter { return newIter(b, i, '[', false) }

// MembersTrusted is Members for text that Skip has accepted.
func MembersTrusted(b []byte, i int) Iter { return newIter(b, i, '{', true) }

// ElementsTrusted is Elements for text that Skip has accepted.
func ElementsTrusted(b []byte, i int) Iter { return newIter(b, i, '[', true) }

func newIter(b []byte, i int, open byte, trusted bool) Iter {
	it := Iter{b: b, levels: MaxDepth, close: open + 2, trusted: trusted, first: true, at: Space(b, i)}
	if it.at >= len(b) || b[it.at] != open {
		it.err = syntax(b, it.at, "'"+string(open)+"'")
		it.done = true
		return it
	}

	it.at++
	return it
}

// Next moves to the next value and says whether there is one.
func (it *Iter) Next() bool {
	if it.done {
		return false
	}

	// Pass over the value before, if the caller has not.
	b, i := it.b, it.at
	if !it.first {
		i = it.End()
		if it.err != nil {
			it.done = true
			return false
		}
	}

	// Then comes the closing bracket or, but for the first value, a comma.
	i = Space(b, i)
	switch {
	case i < len(b) && b[i] == it.close:
		it.at, it.done = i+1, true
		return false
	case it.first:
		it.first = false
	case i >= len(b) || b[i] != ',':
		return it.fail(i, "',' or '"+string(it.close)+"'")
	default:
		i = Space(b, i+1)
	}

	// A member has a name.
	if it.close == '}' {
		it.keyStart = i + 1
		switch {
		case it.trusted && i < len(b) && b[i] == '"':
			i, it.plain = StringTrusted(b, i), false
		default:
			end, escaped, err := String(b, i)
			if err != nil {
				it.err, it.done = err, true
				return false
			}
			i, it.plain = end, !escaped
		}
		it.Key = b[it.keyStart:max(it.keyStart, i-1)]

		i = Space(b, i)
		if i >= len(b) || b[i] != ':' {
			return it.fail(i, "':'")
		}
		i = Space(b, i+1)
	}

	if i >= len(b) {
		return it.fail(i, "")
	}
	it.Start, it.end = i, 0
	return true
}

func (it *Iter) fail(i int, want string) bool {
	it.err, it.done = syntax(it.b, i, want), true
	return false
}

// MemberStart returns the offset of the current member's name, at its opening quote.
func (it *Iter) MemberStart() int { return it.keyStart - 1 }

// Name returns the value of Key, which is Key itself unless it has escapes.
func (it *Iter) Name() []byte {
	if it.plain {
		return it.Key
	}
	return Unquote(it.Key)
}

// End returns the offset behind the current value. A strict Iter checks the
// value; if that fails, the result is some offset behind Start and the loop
// ends with Err.
func (it *Iter) End() int {
	if it.end == 0 {
		if it.trusted {
			it.end = SkipTrusted(it.b, it.Start)
		} else if it.end, it.err = skip(it.b, it.Start, it.levels); it.err != nil {
			it.done = true
		}
	}
	return it.end
}

// SetEnd tells the Iter that the caller has checked the current value and that
// it ends before b[end], which saves End the work.
func (it *Iter) SetEnd(end int) { it.end = end }

// Value returns the bytes of the current value; see End.
func (it *Iter) Value() []byte { return it.b[it.Start:it.End()] }

// Err returns what ended the walk early, a *SyntaxError, or nil.
func (it *Iter) Err() error { return it.err }

// After returns the offset behind the closing bracket, once Next has returned
// false without Err.
func (it *Iter) After() int { return it.at }
