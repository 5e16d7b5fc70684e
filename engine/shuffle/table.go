package shuffle

import (
	"bytes"
	"hash/maphash"
	"math"
)

const (
	// combineValues is how many values a key collects before they are combined.
	combineValues = 256
	// groupOverhead is about what a group costs beside its key and values.
	groupOverhead = 128
	// minSlots is the size of an empty table's index; a power of two.
	minSlots = 64
)

// CombineFunc hands to write the values that replace those of key. Both are valid
// until it returns.
type CombineFunc func(key []byte, values *Values, write func(value []byte)) error

// Table groups what one map task emits. It is used again, run after run and task
// after task: keys and first values lie in its arena, groups in one slice, so that
// a key that is emitted once allocates nothing. Not safe for concurrent use.
//
// It replaces a map of keys to lists and sorting its keys. TestTable compares the two;
// BenchmarkTable pays for it, see docs/BENCHMARKS.md (2026-11-28).
type Table struct {
	limit int // bytes at which it is full

	// slots is a hash table with open addressing, at most half full: the low half of
	// a slot is the number of its group, from 1, the high half the group's hash.
	slots  []uint64
	groups []Group // in the order of their first values
	arena  arena
	last   int // group of the latest Add, because runs of one key are common; -1: none
	bytes  int
	common int // how many leading bytes all keys share
	sorter sorter

	combined []byte // what a combine writes
}

// Group is a key with its values in emit order.
type Group struct {
	key  string
	list List
	hash uint32
	next int32 // Crowded when the list has so many values
}

// hashSeed may differ from process to process: a hash decides where a group is found,
// never an order.
var hashSeed = maphash.MakeSeed()

// NewTable returns an empty table that is full at limit bytes.
func NewTable(limit int) *Table {
	return &Table{limit: limit, slots: make([]uint64, minSlots), last: -1}
}

// Key returns the group's key, valid until the table's Reset.
func (g *Group) Key() string { return g.key }

// Len returns how many values the group has.
func (g *Group) Len() int { return g.list.Len() }

// Values returns a reader of the group's values, valid until the group changes.
func (g *Group) Values() *Values { return g.list.Values() }

// Crowded says that the group has collected so many values that combining them pays.
func (g *Group) Crowded() bool { return g.list.n >= g.next }

// Full says that the table has reached its limit.
func (t *Table) Full() bool { return t.bytes >= t.limit }

// Add appends a copy of a value to its key's group and returns the group, which is
// valid until the next Add.
func (t *Table) Add(key, value []byte) *Group {
	// The key is often that of the latest value.
	if t.last < 0 || t.groups[t.last].key != string(key) {
		t.last = t.find(key)
	}

	// The first value lies in the arena; more values move the list out of it.
	group := &t.groups[t.last]
	if group.list.bytes == nil {
		group.list.bytes = t.arena.carve(uvarintLen(len(value)) + len(value))[:0]
	}

	before := group.list.Bytes()
	group.list.Append(value)
	t.bytes += group.list.Bytes() - before
	return group
}

// find returns the number of the key's group, and makes the group if it is new.
func (t *Table) find(key []byte) int {
	// Search from the slot that the hash names up to a free one.
	hash := uint32(maphash.Bytes(hashSeed, key))
	mask := len(t.slots) - 1
	at := int(hash) & mask
	for ; t.slots[at] != 0; at = (at + 1) & mask {
		slot := t.slots[at]
		if uint32(slot>>32) == hash && t.groups[uint32(slot)-1].key == string(key) {
			return int(uint32(slot) - 1)
		}
	}

	// The key is new: copy it, and see what it shares with the others.
	copied := t.arena.text(key)
	if len(t.groups) == 0 {
		t.common = len(copied)
	} else {
		t.common = commonPrefix(t.groups[0].key[:t.common], copied)
	}
	t.groups = append(t.groups, Group{key: copied, hash: hash, next: combineValues})
	t.bytes += len(key) + groupOverhead

	// Keep the index at most half full, so that searches are short.
	number := len(t.groups)
	t.slots[at] = uint64(hash)<<32 | uint64(number)
	if 2*number > len(t.slots) {
		t.grow()
	}
	return number - 1
}

// grow doubles the index.
func (t *Table) grow() {
	// Reuse the memory that a larger index had before a Reset.
	size := 2 * len(t.slots)
	if cap(t.slots) < size {
		t.slots = make([]uint64, size)
	} else {
		t.slots = t.slots[:size]
		clear(t.slots)
	}

	// Enter all groups anew: their places depend on the size.
	for number := range t.groups {
		hash := t.groups[number].hash
		slot := int(hash) & (size - 1)
		for t.slots[slot] != 0 {
			slot = (slot + 1) & (size - 1)
		}
		t.slots[slot] = uint64(hash)<<32 | uint64(number+1)
	}
}

// Combine replaces the group's values by those that combine writes. If combine fails
// they stay as they are.
func (t *Table) Combine(g *Group, combine CombineFunc) error {
	g.next = nextCombine(g.list.n) // also if combine fails

	t.combined = t.combined[:0]
	var n int32
	err := combine([]byte(g.key), g.list.Values(), func(value []byte) {
		t.combined = appendValue(t.combined, value)
		n++
	})
	if err != nil {
		return err
	}

	// A new slice, so that the memory of the many values becomes garbage.
	t.bytes += len(t.combined) - g.list.Bytes()
	g.list = List{bytes.Clone(t.combined), n}
	g.next = nextCombine(n)
	return nil
}

// nextCombine returns how many values a key that has n may collect: a combine that
// does not shrink must not be called for ever.
func nextCombine(n int32) int32 { return max(combineValues, min(n, math.MaxInt32/2)*2) }

// Sorted returns the groups in key order; they are valid until Reset.
func (t *Table) Sorted() []*Group { return t.sorter.sort(t.groups, t.common) }

// Reset empties the table and reuses its memory.
func (t *Table) Reset() {
	clear(t.groups)
	t.groups = t.groups[:0]
	t.slots = t.slots[:minSlots]
	clear(t.slots)
	t.arena.reset()
	t.last = -1
	t.bytes = 0
}
