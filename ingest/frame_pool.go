package ingest

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"time"
)

// frame is a v3 frame being made: its buffer is filled where it will be written
// from, so a body is copied once, from the connection.
type frame struct {
	buf  []byte
	at   int    // where the body begins
	room int    // the longest body it had room for, for the caller's accounts
	sum  uint32 // before the file's salt, set by seal
}

// frames[k] pools frames with room for 1<<k bytes, so that no memory is taken
// per request and a pool of small ones does not grow large.
var frames [26]sync.Pool

// takeFrame returns a frame with its head, country and path written and room for a body of
// n bytes. The caller fills body, calls seal, and frees it in the end.
func takeFrame(country, path string, n int, t time.Time) *frame {
	size := frameOverhead + len(country) + len(path) + n
	f := takeRoom(size)
	f.buf = appendHeader(f.buf, len(country), len(path), n, t)
	f.buf = append(f.buf, country...)
	f.buf = append(f.buf, path...)
	f.at = len(f.buf)
	f.buf, f.room = f.buf[:size], n
	return f
}

// takeRoom returns an empty frame with room for size bytes.
func takeRoom(size int) *frame {
	class := max(bits.Len(uint(size-1)), 9)
	f, _ := frames[class].Get().(*frame)
	if f == nil {
		return &frame{buf: make([]byte, 0, 1<<class)}
	}
	f.buf = f.buf[:0]
	return f
}

// grow returns a frame with the same content and room for a body of n bytes; f is freed.
func (f *frame) grow(n int) *frame {
	g := takeRoom(f.at + n)
	g.buf = append(g.buf, f.buf...)[:f.at+n]
	g.at, g.room = f.at, n
	f.free()
	return g
}

// cut ends the body after n bytes, which may be fewer than takeFrame was told.
func (f *frame) cut(n int) {
	f.buf = f.buf[:f.at+n]
	binary.LittleEndian.PutUint32(f.buf[4:], uint32(n))
}

// body is the part to be filled.
func (f *frame) body() []byte { return f.buf[f.at:] }

// seal computes the sum; nothing may change afterwards.
func (f *frame) seal() { f.sum = sumFrame(f.buf) }

// free gives the frame back; the caller must not use it any more.
func (f *frame) free() { frames[bits.Len(uint(cap(f.buf)-1))].Put(f) }
