package rawlog

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"time"
)

// Entry is a v3 entry being made. Its buffer is filled where it will be written
// from, so a body is copied once, from the connection. It is for one goroutine.
type Entry struct {
	buf  []byte
	at   int    // where the body begins
	room int    // the longest body that it has room for
	sum  uint32 // before the file's salt, set by Seal
}

// minPooledBits is the smallest class of entryPools: 512 bytes.
const minPooledBits = 9

// entryPools[k] pools entries with room for 1<<k bytes, so that no memory is
// allocated per request and a pool of small entries does not fill with large ones.
// A single sync.Pool would hold entries of 16 MiB for bodies of 5 kB. BenchmarkEntry.
var entryPools [26]sync.Pool

// NewEntry returns an entry with its head, country and path written and room for a
// body of bodyBytes. The caller fills Body, calls Seal, and frees it in the end.
func NewEntry(country, path string, bodyBytes int, received time.Time) *Entry {
	size := entryOverhead + len(country) + len(path) + bodyBytes
	entry := pooledEntry(size)
	entry.buf = appendEntryHeader(entry.buf, len(country), len(path), bodyBytes, received)
	entry.buf = append(entry.buf, country...)
	entry.buf = append(entry.buf, path...)
	entry.at = len(entry.buf)
	entry.buf = entry.buf[:size]
	entry.room = bodyBytes
	return entry
}

// pooledEntry returns an empty entry with room for size bytes.
func pooledEntry(size int) *Entry {
	// The smallest class whose entries have room for size bytes.
	class := max(bits.Len(uint(size-1)), minPooledBits)
	e, _ := entryPools[class].Get().(*Entry)
	if e == nil {
		return &Entry{buf: make([]byte, 0, 1<<class)}
	}
	e.buf = e.buf[:0]
	return e
}

// Grow returns an entry with the same content and room for a body of n bytes; e is
// freed.
func (e *Entry) Grow(n int) *Entry {
	// All of the old entry is copied, its head included; Cut corrects the length.
	grown := pooledEntry(e.at + n)
	grown.buf = append(grown.buf, e.buf...)[:e.at+n]
	grown.at = e.at
	grown.room = n
	e.Free()
	return grown
}

// Cut ends the body after n bytes, at most as many as there is room for.
func (e *Entry) Cut(n int) {
	e.buf = e.buf[:e.at+n]
	binary.LittleEndian.PutUint32(e.buf[4:], uint32(n))
}

// Body is the part to be filled.
func (e *Entry) Body() []byte { return e.buf[e.at:] }

// Seal computes the sum; nothing may change afterwards.
func (e *Entry) Seal() { e.sum = sumEntry(e.buf) }

// Room is the longest body that the entry has room for. Cut does not change it.
func (e *Entry) Room() int { return e.room }

// Free returns the entry to its pool; the caller must not use it any more.
func (e *Entry) Free() { entryPools[bits.Len(uint(cap(e.buf)-1))].Put(e) }
