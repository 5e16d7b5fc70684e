package rawlog

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A fence. This file replaces os.File.WriteAt followed by Sync. TestLog… run with
// both (disk_other.go has the other); BENCHMARKS.md, Acquisition, has what pays for
// it: with 160 kB a batch, 80 to 84 µs of processor time instead of 114 to 130.
// Measured on 2026-11-22.

// openDirect opens a file of root once more, for writing that bypasses the page
// cache: a raw log is not read soon, and the copy and its writing back cost more than
// all else that a batch needs. It returns nil if the file system does not support it.
func openDirect(root *os.Root, name string) (*os.File, error) {
	file, err := root.OpenFile(name, os.O_WRONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	return file, err
}

// append writes and syncs with one system call: the caller sleeps once.
func (o *osFile) append(b []byte, off int64) error {
	file := o.direct
	if file == nil {
		file = o.f
	}

	// The kernel may write less than all; then the rest follows.
	for len(b) > 0 {
		written, err := unix.Pwritev2(int(file.Fd()), [][]byte{b}, off, unix.RWF_DSYNC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EINVAL && file == o.direct:
			// The disk's blocks are larger than ours: go on through the page cache.
			file = o.f
			err = o.direct.Close()
			o.direct = nil
			if err == nil {
				continue
			}
		case err == nil && written <= 0:
			err = io.ErrShortWrite
		}
		if err != nil {
			return fmt.Errorf("write %d bytes at %d: %w", len(b), off, err)
		}

		b = b[written:]
		off += int64(written)
	}

	return nil
}

func (o *osFile) allocate(off, n int64) {
	_ = unix.Fallocate(int(o.f.Fd()), 0, off, n) // see logFile.allocate
}
