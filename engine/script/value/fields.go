package value

import (
	"unsafe"
)

// Fields notes which fields of pings a script reads, and which of them the pings have: a
// name that none has is probably mistyped. Only names that stand in the script's text
// count, so that a loop over all members costs nothing. It belongs to one runtime.
//
// Nothing is noted of what lies in arrays.
type Fields struct {
	names *FieldNames
	// seen says whether a ping of another runtime had the field of a path; then no
	// similar member is looked for. May be nil.
	seen  func(path string) bool
	root  Field // the ping
	known int   // fields, all of them
	slots [1 << slotBits]fieldSlot
}

// FieldNames are the names that stand in a script's text. They do not change.
type FieldNames struct {
	set   map[string]bool
	kinds [4]uint64 // the bits of kindOf of these: most other names have none of them
}

const (
	// maxFields bounds the fields that are noted in one runtime, far more than a script
	// names. Beyond it nothing is said about the others.
	maxFields = 10_000
	// slotBits is how many fields are found without hashing their names, as a power of 2.
	// Names stand near each other in the program, so their addresses are spread.
	slotBits   = 5
	slotFactor = 0x9e3779b97f4a7c15
	// maxSuggestions bounds of how many pings the names of other members are noted.
	maxSuggestions = 3
)

// Field is a member of pings, by its path.
type Field struct {
	name    string
	path    string // of the names that lead to it, joined by "."
	members map[string]*Field
	has     bool     // a ping had it
	misses  int      // how often a ping that was asked had it not
	others  []string // names of members in its place, of the first pings that had it not
}

// fieldSlot is a field that was read lately, by the address of its name in the program.
type fieldSlot struct {
	parent *Field
	name   *byte
	length int
	field  *Field
}

// NewFieldNames returns the FieldNames of a script; set does not change any more.
func NewFieldNames(set map[string]bool) *FieldNames {
	names := &FieldNames{set: set}
	for name := range set {
		kind := kindOf(name)
		names.kinds[kind>>6] |= 1 << (kind & 63)
	}
	return names
}

// NewFields returns Fields for a script with these names. Seen says whether a ping of
// another runtime had the field of a path; nil: that is not known.
func NewFields(names *FieldNames, seen func(path string) bool) *Fields {
	return &Fields{names: names, seen: seen}
}

// kindOf is a number of 8 bits in which names differ.
func kindOf(name string) uint8 {
	if name == "" {
		return 0
	}
	return uint8(len(name))*31 ^ name[0]*7 ^ name[len(name)-1]
}

// of returns the field that is a member of parent, or nil if it is not noted. Of a job that
// reads four fields a record it takes less than one part in a hundred: BenchmarkFields.
func (f *Fields) of(parent *Field, name string) *Field {
	kind := kindOf(name)
	if f.names.kinds[kind>>6]&(1<<(kind&63)) == 0 {
		return nil
	}

	// The name of a member expression is always the same string.
	address := unsafe.StringData(name)
	slot := &f.slots[uint64(uintptr(unsafe.Pointer(address)))*slotFactor>>(64-slotBits)]
	if slot.name == address && slot.length == len(name) && slot.parent == parent {
		return slot.field
	}

	found := f.member(parent, name)
	*slot = fieldSlot{parent, address, len(name), found}
	return found
}

// member is of without the slots.
func (f *Fields) member(parent *Field, name string) *Field {
	if found := parent.members[name]; found != nil {
		return found
	}
	if !f.names.set[name] || f.known == maxFields {
		return nil
	}

	if parent.members == nil {
		parent.members = map[string]*Field{}
	}
	made := &Field{name: name, path: name}
	if parent != &f.root {
		made.path = parent.path + "." + name
	}
	parent.members[name] = made
	f.known++
	return made
}

// note notes that a script has read a member of the object, and whether it was there.
func (f *Field) note(o *lazyObject, has bool) {
	if has {
		f.has = true
		return
	}

	// To list the members of a large object takes longer than many reads of it.
	f.misses++
	if f.has || f.misses > maxSuggestions {
		return
	}
	if seen := o.r.fields.seen; seen == nil || !seen(f.path) {
		f.others = append(f.others, o.Keys()...)
	}
}

// Seen is what became of reads of one field.
type Seen struct {
	Has  bool   `json:"has,omitempty"`  // a ping had it
	Miss bool   `json:"miss,omitempty"` // a ping had it not
	Near string `json:"near,omitempty"` // the name of a member in its place that is similar, or ""
}

// All returns what was noted, by path, such as "info.OS". Nearest returns which of the
// candidates is similar to a name, or "".
func (f *Fields) All(nearest func(name string, candidates []string) string) map[string]Seen {
	all := map[string]Seen{}
	var walk func(parent *Field)
	walk = func(parent *Field) {
		for name, field := range parent.members {
			seen := Seen{Has: field.has, Miss: field.misses > 0}
			if !field.has && len(field.others) > 0 {
				seen.Near = nearest(name, field.others)
			}
			all[field.path] = seen
			walk(field)
		}
	}

	walk(&f.root)
	return all
}

// Add adds what another runtime has noted. Of two neighbours the last in the order of
// letters stays, so that the order of the runtimes does not matter.
func (s Seen) Add(other Seen) Seen {
	s.Has = s.Has || other.Has
	s.Miss = s.Miss || other.Miss
	s.Near = max(s.Near, other.Near)
	return s
}
