package rawlog

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"time"
)

// Entry is a v3 entry being made, for one goroutine: its buffer is filled where it will be written
// from, so a body is copied once, from the connection.
type Entry struct {
	buf  []byte
	at   int    // where the body begins
	room int    // the longest body it had room for, for the caller's accounts
	sum  uint32 // before the file's salt, set by Seal
}

// entryPools[k] pools entries with room for 1<<k bytes, so that no memory is taken
// per request and a pool of small ones does not grow large.
var entryPools [26]sync.Pool

// NewEntry returns an entry with its head, country and path written and room for a
// body of n bytes. The caller fills Body, calls Seal, and frees it in the end.
func NewEntry(country, path string, n int, t time.Time) *Entry {
	size := entryOverhead + len(country) + len(path) + n
	f := takeRoom(size)
	f.buf = appendHeader(f.buf, len(country), len(path), n, t)
	f.buf = append(f.buf, country...)
	f.buf = append(f.buf, path...)
	f.at = len(f.buf)
	f.buf, f.room = f.buf[:size], n
	return f
}

// takeRoom returns an empty entry with room for size bytes.
func takeRoom(size int) *Entry {
	class := max(bits.Len(uint(size-1)), 9)
	f, _ := entryPools[class].Get().(*Entry)
	if f == nil {
		return &Entry{buf: make([]byte, 0, 1<<class)}
	}
	f.buf = f.buf[:0]
	return f
}

// Grow returns an entry with the same content and room for a body of n bytes; f is freed.
func (f *Entry) Grow(n int) *Entry {
	g := takeRoom(f.at + n)
	g.buf = append(g.buf, f.buf...)[:f.at+n]
	g.at, g.room = f.at, n
	f.Free()
	return g
}

// Cut ends the body after n bytes, which may be fewer than NewEntry was told.
func (f *Entry) Cut(n int) {
	f.buf = f.buf[:f.at+n]
	binary.LittleEndian.PutUint32(f.buf[4:], uint32(n))
}

// Body is the part to be filled.
func (f *Entry) Body() []byte { return f.buf[f.at:] }

// Seal computes the sum; nothing may change afterwards.
func (f *Entry) Seal() { f.sum = sumEntry(f.buf) }

// Room is the longest body that the entry had room for, for its owner's accounts.
func (f *Entry) Room() int { return f.room }

// Free gives the entry back; the caller must not use it any more.
func (f *Entry) Free() { entryPools[bits.Len(uint(cap(f.buf)-1))].Put(f) }
