package rawlog

import "unsafe"

const (
	// blockBytes is a multiple of the block size of nearly every disk, and of the
	// kernel's page: what is written in such units is never read first.
	blockBytes = 4096
	// bufferBytes is how much is written and synced at once; a larger batch takes
	// several turns.
	bufferBytes = 2 << 20
)

// makeBlocks returns n zero bytes that begin at a multiple of blockBytes in
// memory, as a disk wants them that is to take them from there.
func makeBlocks(n int) []byte {
	b := make([]byte, n+blockBytes)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % blockBytes
	return b[skip : skip+uintptr(n) : skip+uintptr(n)]
}

// blocksUp returns the smallest number of bytes, at least n, that are whole blocks.
func blocksUp(n int) int { return (n + blockBytes - 1) &^ (blockBytes - 1) }
