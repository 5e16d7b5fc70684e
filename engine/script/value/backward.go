package value

import "github.com/aitgithub/telemetry-server/engine/jsonscan"

// backwardBytes is how far from the end of an object a member is looked up before
// all members are indexed. Browsers send info last, behind some 30 kB of
// histograms, so that this finds it in a fiftieth of the time
// (script.BenchmarkMap/field). FuzzFromEnd compares it with the index.
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
	text := f.text
	start := f.valueStart(back(text, f.at-1))
	if start < 0 {
		return m, false, false
	}

	// Before the value there are a colon and a key.
	colon := back(text, start-1)
	quote := -1
	if colon > f.stop && text[colon] == ':' {
		quote = back(text, colon-1)
	}

	if quote <= f.stop || text[quote] != '"' {
		return m, false, false
	}

	key := f.stringStart(quote)
	if key < 0 {
		return m, false, false
	}

	m = member{key: int32(key + 1), keyEnd: int32(quote), start: int32(start)}
	f.at = back(text, key-1)
	switch {
	case f.at == f.open:
		return m, false, true
	case f.at > f.stop && text[f.at] == ',':
		return m, true, true
	}

	return m, false, false
}

// back returns the offset of the last byte at or before i that is no space, or -1.
func back(text []byte, i int) int {
	for i >= 0 && jsonscan.Space(text[i:i+1], 0) == 1 {
		i--
	}
	return i
}

// valueStart returns where the value that ends with text[end] begins, or -1.
func (f *fromEnd) valueStart(end int) int {
	text := f.text
	depth := 0
	for i := end; i > f.stop; i-- {
		switch text[i] {
		case '"':
			i = f.stringStart(i)
			if i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
		case '}', ']':
			depth++
		case '{', '[':
			depth--
			if depth == 0 {
				return i
			}
		case ':', ',':
			// What stands in front of a number or a literal.
			if depth == 0 {
				return jsonscan.Space(text, i+1)
			}
		}
		if depth < 0 {
			return -1
		}
	}

	return -1
}

// stringStart returns the offset of the quote that opens the string closed at
// text[end], or -1.
func (f *fromEnd) stringStart(end int) int {
	text := f.text
	for i := end - 1; i > f.stop; i-- {
		if text[i] != '"' {
			continue
		}

		// A quote behind an odd number of backslashes is one of the string's own. The
		// object's brace ends the count at the latest.
		slashes := 0
		for text[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
		i -= slashes
	}

	return -1
}
