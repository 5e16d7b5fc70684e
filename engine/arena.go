package engine

import "unsafe"

// arenaChunk is the unit in which an arena takes memory.
const arenaChunk = 256 << 10

// arena hands out memory that is all taken back at once and then used again. Not
// safe for concurrent use.
type arena struct {
	chunks [][]byte
	chunk  int // in use
	off    int // its first free byte
}

// carve returns n bytes, of any content and with no room to append to.
func (a *arena) carve(n int) []byte {
	if n > arenaChunk/4 {
		return make([]byte, n)
	}
	if a.chunk < len(a.chunks) && a.off+n > arenaChunk {
		a.chunk, a.off = a.chunk+1, 0
	}
	if a.chunk == len(a.chunks) {
		a.chunks = append(a.chunks, make([]byte, arenaChunk))
	}
	b := a.chunks[a.chunk][a.off : a.off+n : a.off+n]
	a.off += n
	return b
}

// text returns a copy of b. It changes after reset, so nobody may keep it.
func (a *arena) text(b []byte) string {
	c := a.carve(len(b))
	copy(c, b)
	return unsafe.String(unsafe.SliceData(c), len(c))
}

// reset takes everything back.
func (a *arena) reset() { a.chunk, a.off = 0, 0 }
