package engine

import (
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
}

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
			g = &group{key: string(key), next: combineValues}
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
	gs := make([]*group, 0, len(t.groups))
	for _, g := range t.groups {
		gs = append(gs, g)
	}
	slices.SortFunc(gs, func(a, b *group) int { return strings.Compare(a.key, b.key) })
	return gs
}

func (t *table) reset() {
	clear(t.groups)
	t.last, t.bytes = nil, 0
}
