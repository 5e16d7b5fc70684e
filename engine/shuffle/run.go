package shuffle

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
)

// run is a sorted list of keys with their values, cut into blocks of
//
//	uvarint len(key) · key · uvarint n · uvarint len(values) · values
//
// entries. It is immutable.
type run struct {
	task, seq int // order of the input
	blocks    []block
	data      []byte // nil when in the store's file
	file      *os.File
	off       int64
}

// block is a part of a run that is read at once.
type block struct {
	first    string // its first key
	off, len int
}

// load returns block i: a part of the run's memory, or, if it has to be read, in
// spare where that is large enough. The caller must not change it.
func (r *run) load(i int, spare []byte) ([]byte, error) {
	block := r.blocks[i]
	if r.data != nil {
		return r.data[block.off : block.off+block.len], nil
	}

	if cap(spare) < block.len {
		spare = make([]byte, max(block.len, blockBytes))
	}
	buf := spare[:block.len]
	if _, err := r.file.ReadAt(buf, r.off+int64(block.off)); err != nil {
		return nil, fmt.Errorf("read spilled run: %w", err)
	}
	return buf, nil
}

// size returns the bytes of the run's entries.
func (r *run) size() int64 {
	if n := len(r.blocks); n > 0 {
		return int64(r.blocks[n-1].off + r.blocks[n-1].len)
	}
	return 0
}

// seek returns the block where entries of keys ≥ key begin at the earliest.
func (r *run) seek(key string) int {
	at := sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].first >= key })
	return max(0, at-1)
}

// Builder makes a run out of keys added in order. The zero Builder is empty.
type Builder struct {
	buf    []byte
	blocks []block
	start  int // of the current block
	// reusable says that the Store may give buf to another Builder once the run is
	// in the file.
	reusable bool
}

// Retain says that the caller reads the Builder after Put.
func (w *Builder) Retain() { w.reusable = false }

// entryOverhead is what an entry costs beside key and values, mostly.
const entryOverhead = 6

// AddGroups adds groups, which are in key order.
func (w *Builder) AddGroups(groups []*Group) {
	// Allocate once.
	size := 0
	for _, g := range groups {
		size += len(g.key) + len(g.list.bytes) + entryOverhead
	}
	w.buf = slices.Grow(w.buf, size)

	for _, g := range groups {
		w.Add(g.key, &g.list)
	}
}

// Add adds a key with at least one value. Consecutive calls may have the same key.
func (w *Builder) Add(key string, values *List) {
	rest := values.bytes
	for n := values.Len(); n > 0; {
		// As many values as a block holds, in a block with room for them.
		part, count := rest, n
		if len(part) > blockBytes {
			part, count = splitList(rest, blockBytes)
		}

		used := len(w.buf) - w.start
		if used > 0 && used+len(key)+len(part)+entryOverhead > blockBytes {
			w.cut()
		}
		if len(w.buf) == w.start {
			w.blocks = append(w.blocks, block{first: strings.Clone(key), off: w.start})
		}

		w.buf = append(binary.AppendUvarint(w.buf, uint64(len(key))), key...)
		w.buf = binary.AppendUvarint(w.buf, uint64(count))
		w.buf = append(binary.AppendUvarint(w.buf, uint64(len(part))), part...)

		rest = rest[len(part):]
		n -= count
	}
}

// Bytes returns how large the run is so far.
func (w *Builder) Bytes() int { return len(w.buf) }

// cut ends the block, if it has begun.
func (w *Builder) cut() {
	if len(w.buf) > w.start {
		w.blocks[len(w.blocks)-1].len = len(w.buf) - w.start
		w.start = len(w.buf)
	}
}
