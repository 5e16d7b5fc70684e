package columns

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// member is a path of the records of one row group, while the group is written: a
// name in the object that its parent is.
type member struct {
	name     string // as written, between the quotes
	parent   *member
	depth    int // names in the path
	children map[string]*member
	list     []*member // children, as first seen
	next     *member   // the child of parent that came after this one last time
	follows  []*member // children of parent that came right after this one
	texts    int       // records in which it is no object with members
	objects  int       // records in which it is one
	whole    bool      // its objects are not parted into members

	node int32 // its number in the nodes of the group
}

// part is one value of a record: where it lies in the record's JSON, and how many
// of the parts behind it are its own members.
type part struct {
	of         *member
	start, end int32
	inside     int32
}

// child returns the member of that name, which it makes if there is none, or nil if
// the object has too many.
func (m *member) child(name []byte, before *member) *member {
	// The same member mostly follows the same one, which saves a look-up.
	if before != nil && before.next != nil && before.next.name == string(name) {
		return before.next
	}

	found := m.children[string(name)]
	if found == nil {
		// Too many names are a map with free keys, which stays whole.
		if len(m.list) >= maxMembers {
			m.whole = true
			return nil
		}

		found = &member{name: string(name), parent: m, depth: m.depth + 1}
		if m.children == nil {
			m.children = map[string]*member{}
		}
		m.children[found.name] = found
		m.list = append(m.list, found)
	}
	return found
}

// maxFollows bounds the members that are known to follow a member, by which the
// order of columns is decided.
const maxFollows = 64

// precedes notes that next came right after m.
func (m *member) precedes(next *member) {
	if m.next == next {
		return
	}

	// Note each follower once, up to a limit.
	m.next = next

	for _, known := range m.follows {
		if known == next {
			return
		}
	}
	if len(m.follows) < maxFollows {
		m.follows = append(m.follows, next)
	}
}

// split appends the parts of the object at text[at], which is of m and has members;
// text is valid JSON. It returns the offset behind the object. ok is false for one
// that cannot be parted: a name has an escape.
func (m *member) split(parts []part, text []byte, at int) (_ []part, end int, ok bool) {
	var before *member
	it := jsonscan.MembersTrusted(text, at)
	for it.Next() {
		// A name with an escape has several spellings, which a column's name could not restore.
		if bytes.IndexByte(it.Key, '\\') >= 0 {
			return parts, 0, false
		}

		child := m.child(it.Key, before)
		if child == nil {
			return parts, 0, false
		}

		// Note the order, for ordered.
		if before != nil {
			before.precedes(child)
		}

		before = child

		// An object is replaced by its members, unless they lie too deep or it stays whole.
		place := len(parts)
		parts = append(parts, part{of: child, start: int32(it.Start)})
		if child.depth < maxDepth && !child.whole && text[it.Start] == '{' && !emptyObject(text, it.Start) {
			parts, end, ok = child.split(parts, text, it.Start)
			if ok {
				it.SetEnd(end)
				parts[place].inside = int32(len(parts) - place - 1)
				child.objects++
			} else {
				parts = parts[:place+1]
			}
		}

		if parts[place].inside == 0 {
			child.texts++
		}
		parts[place].end = int32(it.End())
	}
	return parts, it.After(), it.Err() == nil
}

// emptyObject says whether the object at text[at] has no members.
func emptyObject(text []byte, at int) bool {
	at = jsonscan.Space(text, at+1)
	return at < len(text) && text[at] == '}'
}

// ordered returns the children in an order that agrees with that of the records, as far
// as these agree with each other.
func (m *member) ordered() []*member {
	// Count how many members must come before each one.
	waits := make(map[*member]int, len(m.list)) // how many members must come before
	for _, child := range m.list {
		for _, next := range child.follows {
			waits[next]++
		}
	}

	// Choose the member that was seen first among those that wait for no other, and,
	// where records contradict each other, among all.
	order := make([]*member, 0, len(m.list))
	left := append([]*member(nil), m.list...)
	for len(left) > 0 {
		at := 0
		for i, child := range left {
			if waits[child] == 0 {
				at = i
				break
			}
		}

		// Its followers wait for one member less.
		chosen := left[at]
		left = append(left[:at], left[at+1:]...)
		order = append(order, chosen)

		waits[chosen] = 0
		for _, next := range chosen.follows {
			waits[next]--
		}
	}
	return order
}
