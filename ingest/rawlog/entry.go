package rawlog

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

// Entry is a v4 entry being made. Its buffer is filled where it will be written
// from, so a body is copied once, from the connection. It is for one goroutine.
type Entry struct {
	buf []byte
	at  int    // where the body begins
	sum uint32 // before the file's salt, set by Seal
}

// minPooledBits is the smallest class of entryPools: 512 bytes.
const minPooledBits = 9

// entryPools[k] pools entries with room for 1<<k bytes, so that no memory is
// allocated per request and a pool of small entries does not fill with large ones.
// A single sync.Pool would hold entries of 16 MiB for bodies of 5 kB. BenchmarkEntry.
var entryPools [26]sync.Pool

// NewEntry returns an entry with everything of a submission but its body, and room for
// a body of bodyBytes. The caller fills Body, calls Seal, and frees it in the end.
func NewEntry(sub *Submission, bodyBytes int) *Entry {
	size := entryOverhead + len(sub.Country) + len(sub.Path) + len(sub.Request) + bodyBytes
	entry := pooledEntry(size)
	entry.buf = appendEntryHead(entry.buf, sub, bodyBytes)
	entry.at = len(entry.buf)
	entry.buf = entry.buf[:size]
	return entry
}

// EntryMemory returns how many bytes of memory an entry takes whose country, path, request
// and body have so many bytes together.
func EntryMemory(contentBytes int) int { return entryBytes + 1<<classOf(entryOverhead+contentBytes) }

// entryBytes is the memory of an Entry without its buffer, and of the lists it is in.
const entryBytes = 80

// classOf returns the smallest class of entryPools whose entries have room for size bytes.
func classOf(size int) int { return max(bits.Len(uint(size-1)), minPooledBits) }

// pooledEntry returns an empty entry with room for size bytes.
func pooledEntry(size int) *Entry {
	class := classOf(size)
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
	e.Free()
	return grown
}

// MemoryOf returns how many bytes of memory Grow(n) takes.
func (e *Entry) MemoryOf(n int) int { return entryBytes + 1<<classOf(e.at+n) }

// Cut ends the body after n bytes, at most as many as there is room for.
func (e *Entry) Cut(n int) {
	e.buf = e.buf[:e.at+n]
	binary.LittleEndian.PutUint32(e.buf[4:], uint32(n))
}

// Body is the part to be filled.
func (e *Entry) Body() []byte { return e.buf[e.at:] }

// Seal computes the sum; nothing may change afterwards.
func (e *Entry) Seal() { e.sum = sumEntry(e.buf) }

// Memory is how many bytes of memory the entry takes; see EntryMemory.
func (e *Entry) Memory() int { return entryBytes + cap(e.buf) }

// Room is the longest body that the entry has room for. Cut does not change it.
func (e *Entry) Room() int { return cap(e.buf) - e.at }

// Free returns the entry to its pool; the caller must not use it any more.
func (e *Entry) Free() { entryPools[bits.Len(uint(cap(e.buf)-1))].Put(e) }
