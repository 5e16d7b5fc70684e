package value

import (
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// backwardBytes is how far from the end of an object a member is looked for
// before all members are indexed. Browsers send info last, behind some 30 kB of
// histograms, so that this finds it in a fiftieth of the time.
const backwardBytes = 4 << 10

// fromEnd walks the members of an object from the last to the first. The text
// must be JSON; on anything else it gives up early, never panics.
type fromEnd struct {
	text []byte
	open int // offset of the object's '{'
	at   int // of the byte behind the next value: a comma or the closing brace
	stop int // give up before it
}

// newFromEnd walks the object at text[open] whose closing brace ends the text.
func newFromEnd(text []byte, open int) (fromEnd, bool) {
	at := back(text, len(text)-1)
	if open >= at || text[open] != '{' || text[at] != '}' {
		return fromEnd{}, false
	}
	return fromEnd{text: text, open: open, at: at, stop: max(open, at-backwardBytes)}, true
}

// next returns the member before the last one returned. more is false at the
// first member; ok is false when it has given up.
func (f *fromEnd) next() (m member, more, ok bool) {
	t := f.text
	end := back(t, f.at-1)
	start := f.valueStart(end)
	if start < 0 {
		return m, false, false
	}
	colon := back(t, start-1)
	quote := -1
	if colon > f.stop && t[colon] == ':' {
		quote = back(t, colon-1)
	}
	if quote <= f.stop || t[quote] != '"' {
		return m, false, false
	}
	key := f.stringStart(quote)
	if key < 0 {
		return m, false, false
	}
	m = member{key: int32(key + 1), keyEnd: int32(quote), start: int32(start)}
	f.at = back(t, key-1)
	switch {
	case f.at == f.open:
		return m, false, true
	case f.at > f.stop && t[f.at] == ',':
		return m, true, true
	}
	return m, false, false
}

// back returns the offset of the last byte at or before i that is no space; -1
// if there is none.
func back(t []byte, i int) int {
	for i >= 0 && jsonscan.Space(t[i:i+1], 0) == 1 {
		i--
	}
	return i
}

// valueStart returns where the value that ends with t[end] begins, or -1.
func (f *fromEnd) valueStart(end int) int {
	t := f.text
	depth := 0
	for i := end; i > f.stop; i-- {
		switch t[i] {
		case '"':
			if i = f.stringStart(i); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
		case '}', ']':
			depth++
		case '{', '[':
			if depth--; depth == 0 {
				return i
			}
		case ':', ',':
			if depth == 0 { // before a number or a literal
				return jsonscan.Space(t, i+1)
			}
		}
		if depth < 0 {
			return -1
		}
	}
	return -1
}

// stringStart returns the offset of the quote that opens the string closed at
// t[end], or -1.
func (f *fromEnd) stringStart(end int) int {
	t := f.text
	for i := end - 1; i > f.stop; i-- {
		if t[i] != '"' {
			continue
		}
		slashes := 0
		for t[i-1-slashes] == '\\' { // ends at the object's brace at the latest
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
		i -= slashes
	}
	return -1
}
