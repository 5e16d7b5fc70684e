package engine

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

const (
	// combineValues is how many values a key collects before they are combined.
	combineValues = 256
	// groupOverhead is what a group costs beside its key and values, about.
	groupOverhead = 128
)

// tableBytes is how much a task collects before it becomes a sorted run. Not a
// share of Options.Memory: it decides how values are grouped. Only tests change it.
var tableBytes = 16 << 20

// table groups what one map task emits. Not safe for concurrent use.
type table struct {
	groups map[string]*group
	last   *group // of the latest emit: runs of one key are common
	bytes  int
	slab   []group // what is left of the latest one
}

// slabGroups is how many groups are made at a time.
const slabGroups = 256

// group is a key with its values in emit order, each a uvarint length and the bytes.
type group struct {
	key  string
	vals []byte
	n    int
	next int // combine when n reaches it
}

func newTable() *table { return &table{groups: make(map[string]*group)} }

// add appends a value and returns the group.
func (t *table) add(key, value []byte) *group {
	g := t.last
	if g == nil || g.key != string(key) {
		if g = t.groups[string(key)]; g == nil {
			if len(t.slab) == 0 {
				t.slab = make([]group, slabGroups)
			}
			g, t.slab = &t.slab[0], t.slab[1:]
			*g = group{key: string(key), next: combineValues}
			t.groups[g.key] = g
			t.bytes += len(g.key) + groupOverhead
		}
		t.last = g
	}
	before := len(g.vals)
	g.vals = appendValue(g.vals, value)
	g.n++
	t.bytes += len(g.vals) - before
	return g
}

func appendValue(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// combine replaces the group's values by what m makes of them.
func (t *table) combine(g *group, m Mapper) error {
	var vals []byte
	n := 0
	g.next = max(combineValues, 2*g.n) // also where combine fails
	err := m.Combine([]byte(g.key), memoryValues(g.vals, g.n), func(v []byte) {
		vals = appendValue(vals, v)
		n++
	})
	if err != nil {
		return err
	}
	t.bytes += len(vals) - len(g.vals)
	g.vals, g.n = vals, n
	g.next = max(combineValues, 2*n) // a combine that does not shrink must not be called for ever
	return nil
}

// sorted returns the groups in key order.
func (t *table) sorted() []*group {
	type entry struct {
		prefix uint64 // the 8 bytes behind what all keys begin with
		*group
	}
	entries := make([]entry, 0, len(t.groups))
	var common string
	for _, g := range t.groups {
		if len(entries) == 0 {
			common = g.key
		}
		common = common[:commonPrefix(common, g.key)]
		entries = append(entries, entry{group: g})
	}
	for i := range entries {
		var b [8]byte
		copy(b[:], entries[i].key[len(common):])
		entries[i].prefix = binary.BigEndian.Uint64(b[:])
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if c := cmp.Compare(a.prefix, b.prefix); c != 0 {
			return c
		}
		return strings.Compare(a.key, b.key)
	})
	gs := make([]*group, len(entries))
	for i := range entries {
		gs[i] = entries[i].group
	}
	return gs
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func (t *table) reset() {
	clear(t.groups)
	t.last, t.bytes = nil, 0
}
