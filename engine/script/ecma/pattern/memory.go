package pattern

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"
)

// libregexp is translated C: it computes with addresses. Go neither moves nor
// frees memory that is not its own, and the race detector refuses such arithmetic
// on memory of Go. So everything that is passed to libregexp is copied to a buffer
// outside Go's memory first, and freed when its Matcher is closed.

// buffer is a piece of memory outside Go's, which grows.
type buffer struct {
	start    uintptr
	capacity int
}

// grow makes room for n bytes; what was in the buffer is lost.
func (b *buffer) grow(tls *libc.TLS, n int) {
	if n <= b.capacity {
		return
	}

	b.free(tls)
	b.capacity = max(n, 2*b.capacity)
	b.start = libc.Xmalloc(tls, lib.Tsize_t(b.capacity))
	if b.start == 0 {
		panic(ErrMemory)
	}
}

// fill copies data into the buffer.
func (b *buffer) fill(tls *libc.TLS, data []byte) {
	b.grow(tls, max(len(data), 1))
	copy(b.bytes(len(data)), data)
}

// bytes returns the first n bytes of the buffer, valid until it grows.
func (b *buffer) bytes(n int) []byte { return unsafe.Slice((*byte)(pointer(b.start)), n) }

// free returns the memory.
func (b *buffer) free(tls *libc.TLS) {
	if b.start != 0 {
		libc.Xfree(tls, b.start)
	}
	*b = buffer{}
}

// pointer returns what lies at an address outside Go's memory.
func pointer(at uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }

// Bytes returns the memory of code units, in the machine's byte order; the caller
// must not change it.
func Bytes(units []uint16) []byte {
	if len(units) == 0 {
		return nil
	}

	return unsafe.Slice((*byte)(unsafe.Pointer(&units[0])), 2*len(units))
}
