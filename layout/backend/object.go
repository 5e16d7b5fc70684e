package backend

import (
	"context"
	"io"
)

const (
	// chunkBytes is how much of an object is handed on at a time when it is fetched
	// ahead.
	chunkBytes = 1 << 20
	// aheadChunks is how many of them wait for the reader. With the one that is
	// being fetched and the one that is being read, an open file takes 4 MiB.
	aheadChunks = 2
)

// object reads an object by range requests.
type object struct {
	s     *Blob
	name  string
	bytes int64

	ahead *ahead // nil: none
}

// Size implements File.
func (f *object) Size() int64 { return f.bytes }

// Ahead implements File.
func (f *object) Ahead(from, to int64) {
	f.stop()
	if to = min(to, f.bytes); from < to {
		f.ahead = f.s.fetch(f.name, from, to)
	}
}

// ReadAt implements io.ReaderAt.
func (f *object) ReadAt(b []byte, off int64) (n int, err error) {
	want := b[:max(0, min(int64(len(b)), f.bytes-off))]
	if a := f.ahead; a != nil && a.at == off && off+int64(len(want)) <= a.to {
		n, err = io.ReadFull(a, want)
	} else {
		r := filler{s: f.s, name: f.name, at: off, to: off + int64(len(want))}
		err = r.read(context.Background(), want)
		n = int(r.at - off)
		r.stop()
	}
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}

// Close implements io.Closer. It may be called twice.
func (f *object) Close() error {
	f.stop()
	return nil
}

func (f *object) stop() {
	if f.ahead != nil {
		f.ahead.stop()
		f.ahead = nil
	}
}
