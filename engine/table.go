package engine

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math"
)

const (
	// combineValues is how many values a key collects before they are combined.
	combineValues = 256
	// groupOverhead is what a group costs beside its key and values, about.
	groupOverhead = 128
	// minSlots is the size of an empty table's index; a power of two.
	minSlots = 64
)

// tableBytes is how much a task collects before it becomes a sorted run. Not a
// share of Options.Memory: it decides how values are grouped. Only tests change it.
var tableBytes = 16 << 20

// table groups what one map task emits. It is used again, run after run and task
// after task: keys and first values lie in its arena, groups in one slice, so that
// a key that is emitted once allocates nothing. Not safe for concurrent use.
type table struct {
	// slots is a hash table with open addressing, at most half full: the low half of
	// a slot is the number of its group, from 1, the high half the group's hash.
	slots  []uint64
	groups []group // in the order of their first values
	arena  arena
	last   int // group of the latest emit, runs of one key being common; -1: none
	bytes  int
	common int // how many leading bytes all keys share
	order  sorter
	put    []byte // what a combine returns
}

// group is a key with its values in emit order, each a uvarint length and the bytes.
type group struct {
	key  string
	vals []byte
	hash uint32
	n    int32 // below tableBytes, as each value takes a byte
	next int32 // combine when n reaches it
}

// seed: a hash decides where a group is found, never an order.
var seed = maphash.MakeSeed()

func newTable() *table { return &table{slots: make([]uint64, minSlots), last: -1} }

// add appends a value and returns the group, which is valid until the next add.
func (t *table) add(key, value []byte) *group {
	if t.last < 0 || t.groups[t.last].key != string(key) {
		t.last = t.find(key)
	}
	g := &t.groups[t.last]
	if g.vals == nil {
		g.vals = t.arena.carve(uvarintLen(len(value)) + len(value))[:0]
	}
	before := len(g.vals)
	g.vals = appendValue(g.vals, value)
	g.n++
	t.bytes += len(g.vals) - before
	return g
}

// find returns the number of the key's group, which it makes if there is none.
func (t *table) find(key []byte) int {
	hash := uint32(maphash.Bytes(seed, key))
	mask := len(t.slots) - 1
	i := int(hash) & mask
	for ; t.slots[i] != 0; i = (i + 1) & mask {
		if s := t.slots[i]; uint32(s>>32) == hash && t.groups[uint32(s)-1].key == string(key) {
			return int(uint32(s) - 1)
		}
	}
	kept := t.arena.text(key)
	if len(t.groups) == 0 {
		t.common = len(kept)
	} else {
		t.common = commonPrefix(t.groups[0].key[:t.common], kept)
	}
	t.groups = append(t.groups, group{key: kept, hash: hash, next: combineValues})
	t.bytes += len(key) + groupOverhead
	n := len(t.groups)
	t.slots[i] = uint64(hash)<<32 | uint64(n)
	if 2*n > len(t.slots) {
		t.grow()
	}
	return n - 1
}

// grow doubles the index.
func (t *table) grow() {
	n := 2 * len(t.slots)
	if cap(t.slots) < n {
		t.slots = make([]uint64, n)
	} else {
		t.slots = t.slots[:n]
		clear(t.slots)
	}
	for k := range t.groups {
		hash := t.groups[k].hash
		i := int(hash) & (n - 1)
		for t.slots[i] != 0 {
			i = (i + 1) & (n - 1)
		}
		t.slots[i] = uint64(hash)<<32 | uint64(k+1)
	}
}

func appendValue(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

func uvarintLen(n int) int {
	w := 1
	for ; n >= 0x80; n >>= 7 {
		w++
	}
	return w
}

// combine replaces the group's values by what m makes of them.
func (t *table) combine(g *group, m Mapper) error {
	var n int32
	t.put = t.put[:0]
	g.next = nextCombine(g.n) // also where combine fails
	err := m.Combine([]byte(g.key), memoryValues(g.vals, int(g.n)), func(v []byte) {
		t.put = appendValue(t.put, v)
		n++
	})
	if err != nil {
		return err
	}
	t.bytes += len(t.put) - len(g.vals)
	g.vals, g.n, g.next = bytes.Clone(t.put), n, nextCombine(n) // the many values that it had are let go
	return nil
}

// nextCombine returns how many values a key that has n may collect: a combine that
// does not shrink must not be called for ever.
func nextCombine(n int32) int32 { return max(combineValues, min(n, math.MaxInt32/2)*2) }

// sorted returns the groups in key order; they are valid until reset.
func (t *table) sorted() []*group { return t.order.sort(t.groups, t.common) }

func (t *table) reset() {
	clear(t.groups)
	t.groups = t.groups[:0]
	t.slots = t.slots[:minSlots]
	clear(t.slots)
	t.arena.reset()
	t.last, t.bytes = -1, 0
}
