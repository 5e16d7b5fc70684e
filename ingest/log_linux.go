package ingest

import (
	"io"

	"golang.org/x/sys/unix"
)

// maxIOV is how many pieces one pwritev takes (IOV_MAX).
const maxIOV = 1024

func (o osFile) writeAt(b [][]byte, off int64) error {
	for len(b) > 0 {
		n, err := unix.Pwritev(int(o.f.Fd()), b[:min(len(b), maxIOV)], off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		off += int64(n)
		for len(b) > 0 && n >= len(b[0]) {
			n -= len(b[0])
			b = b[1:]
		}
		if n > 0 {
			b[0] = b[0][n:]
		}
	}
	return nil
}

func (o osFile) sync() error {
	for {
		if err := unix.Fdatasync(int(o.f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

func (o osFile) allocate(off, n int64) {
	_ = unix.Fallocate(int(o.f.Fd()), 0, off, n) // see logFile.allocate
}
