package rawlog

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

// fill goes around the page cache if it can: nobody will read the zeros.
func (o osFile) fill(n int64, stop func() bool) error {
	fd := int(o.f.Fd())
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	direct := err == nil && setFlags(fd, flags|unix.O_DIRECT) == nil
	defer setFlags(fd, flags)
	zeros, err := unix.Mmap(-1, 0, fillChunk, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON) // aligned as O_DIRECT wants it
	if err != nil {
		return err
	}
	defer unix.Munmap(zeros)
	for off := int64(0); off < n && !stop(); off += fillChunk {
		err := o.writeAt([][]byte{zeros}, off)
		if direct && err == unix.EINVAL {
			if direct, err = false, setFlags(fd, flags); err == nil {
				err = o.writeAt([][]byte{zeros}, off)
			}
		}
		if err != nil {
			return err
		}
	}
	return o.sync()
}

func setFlags(fd, flags int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
	return err
}
