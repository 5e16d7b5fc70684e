package rawlog

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openDirect opens a file of root once more, for writing around the page cache:
// nobody reads a raw log soon, and the copy and its writing back cost more than
// all else that a batch needs. It returns nil where the file system cannot.
func openDirect(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_WRONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	return f, err
}

// append asks for the write and its sync in one call: the caller sleeps once.
func (o *osFile) append(b []byte, off int64) error {
	f := o.direct
	if f == nil {
		f = o.f
	}
	for len(b) > 0 {
		n, err := unix.Pwritev2(int(f.Fd()), [][]byte{b}, off, unix.RWF_DSYNC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EINVAL && f == o.direct: // blocks larger than ours
			f = o.f
			err = o.direct.Close()
			o.direct = nil
			if err == nil {
				continue
			}
		case err == nil && n <= 0:
			err = io.ErrShortWrite
		}
		if err != nil {
			return fmt.Errorf("write %d bytes at %d: %w", len(b), off, err)
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

func (o *osFile) allocate(off, n int64) {
	_ = unix.Fallocate(int(o.f.Fd()), 0, off, n) // see logFile.allocate
}
