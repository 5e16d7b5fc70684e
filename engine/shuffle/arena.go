package shuffle

import "unsafe"

// arenaChunk is the unit in which an arena allocates.
const arenaChunk = 256 << 10

// arena hands out memory that is released all at once and then used again. Not safe
// for concurrent use.
//
// It replaces an allocation for each key and its first value. TestTable compares a
// table with a map; BenchmarkTable pays for it, see docs/BENCHMARKS.md (2026-11-28).
type arena struct {
	chunks [][]byte
	chunk  int // in use
	off    int // its first free byte
}

// carve returns n bytes, of any content and with no room to append to.
func (a *arena) carve(n int) []byte {
	// What is large would waste the rest of a chunk.
	if n > arenaChunk/4 {
		return make([]byte, n)
	}

	// Go on to the next chunk, which may be there from before a reset.
	if a.chunk < len(a.chunks) && a.off+n > arenaChunk {
		a.chunk++
		a.off = 0
	}
	if a.chunk == len(a.chunks) {
		a.chunks = append(a.chunks, make([]byte, arenaChunk))
	}

	carved := a.chunks[a.chunk][a.off : a.off+n : a.off+n]
	a.off += n
	return carved
}

// text returns a copy of b, valid until reset.
func (a *arena) text(b []byte) string {
	copied := a.carve(len(b))
	copy(copied, b)
	return unsafe.String(unsafe.SliceData(copied), len(copied))
}

// reset releases all memory that was carved.
func (a *arena) reset() {
	a.chunk = 0
	a.off = 0
}
