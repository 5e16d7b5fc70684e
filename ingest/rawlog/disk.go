package rawlog

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// blockBytes is a multiple of the block size of nearly every disk, and of the
// kernel's page. The disk never has to read before it writes whole blocks of this size.
const blockBytes = 4096

// makeBlocks returns n zero bytes that begin at a multiple of blockBytes in memory,
// as a disk needs them to read them from there (O_DIRECT).
func makeBlocks(n int) []byte {
	b := make([]byte, n+blockBytes)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % blockBytes
	return b[skip : skip+uintptr(n) : skip+uintptr(n)]
}

// blocksUp returns the smallest number of bytes, at least n, that are whole disk
// blocks.
func blocksUp(n int) int { return (n + blockBytes - 1) &^ (blockBytes - 1) }

// errLocked says that another process, a live server, holds a raw log.
var errLocked = errors.New("locked by a live server")

// disk is the folder of raw logs as Log needs it; tests let its steps fail.
type disk interface {
	create(name string) (diskFile, error) // a new file, locked
	open(name string) (diskFile, error)   // an existing file, locked; errLocked
	rename(from, to string) error         // fs.ErrExist: it replaces nothing
	link(from, to string) error
	remove(name string) error
	lstat(name string) (os.FileInfo, error)
	list() ([]string, error)
	free() (int64, error) // bytes that may still be written
	sync() error          // makes what was created, renamed and removed durable
}

// diskFile is a file of a disk, exclusively locked until it is closed.
type diskFile interface {
	// append writes b and syncs it, with as much metadata as reading it needs. b is
	// whole disk blocks and begins at one in memory (see makeBlocks) and in the file.
	// append holds no reference to it after returning.
	append(b []byte, off int64) error
	writeAt(b []byte, off int64) error
	sync() error // all of the file
	allocate(off, n int64)
	truncate(size int64) error
	readAt(b []byte, off int64) (int, error)
	stat() (os.FileInfo, error)
	close() error
}

// rootDisk is a folder of the real disk.
type rootDisk struct{ root *os.Root }

func (d rootDisk) create(name string) (diskFile, error) {
	return d.openFile(name, os.O_CREATE|os.O_EXCL)
}

func (d rootDisk) open(name string) (diskFile, error) { return d.openFile(name, 0) }

func (d rootDisk) openFile(name string, flag int) (diskFile, error) {
	file, err := d.root.OpenFile(name, os.O_RDWR|flag, 0o640)
	if err != nil {
		return nil, err
	}

	// The lock ends with the process, however that ends.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", name, errors.Join(err, file.Close()))
	}

	direct, err := openDirect(d.root, name)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}

	return &osFile{file, direct}, nil
}

// rename gives a file another name, which no file may have: two servers that share the
// folder, and think that they are the same process at the same time, must not replace
// each other's raw logs.
func (d rootDisk) rename(from, to string) error {
	err := d.root.Link(from, to)
	if err == nil {
		return d.root.Remove(from)
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}

	// The file system has no links: then the two steps are not one.
	if _, err := d.root.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fs.ErrExist, err)
	}
	return d.root.Rename(from, to)
}

func (d rootDisk) lstat(name string) (os.FileInfo, error) { return d.root.Lstat(name) }
func (d rootDisk) link(from, to string) error             { return d.root.Link(from, to) }
func (d rootDisk) remove(name string) error               { return d.root.Remove(name) }

func (d rootDisk) list() ([]string, error) {
	dirEntries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, err
	}

	names := make([]string, 0, len(dirEntries))
	for _, entry := range dirEntries {
		names = append(names, entry.Name())
	}
	return names, nil
}

func (d rootDisk) free() (int64, error) {
	folder, err := d.root.Open(".")
	if err != nil {
		return 0, err
	}

	defer folder.Close()

	// Bavail is what may be written without root's reserve.
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(folder.Fd()), &st); err != nil {
		return 0, err
	}
	return int64(min(st.Bavail, math.MaxInt64/uint64(st.Bsize)) * uint64(st.Bsize)), nil
}

func (d rootDisk) sync() error {
	folder, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// osFile is a file of the real disk; disk_linux.go and disk_other.go have the rest.
type osFile struct {
	f      *os.File // holds the lock
	direct *os.File // the same, bypassing the page cache; nil: not possible
}

func (o *osFile) writeAt(b []byte, off int64) error {
	_, err := o.f.WriteAt(b, off)
	return err
}

func (o *osFile) sync() error               { return o.f.Sync() }
func (o *osFile) truncate(size int64) error { return o.f.Truncate(size) }

func (o *osFile) close() error {
	if o.direct == nil {
		return o.f.Close()
	}
	return errors.Join(o.direct.Close(), o.f.Close())
}

func (o *osFile) stat() (os.FileInfo, error) { return o.f.Stat() }

func (o *osFile) readAt(b []byte, off int64) (int, error) { return o.f.ReadAt(b, off) }

// linksOf returns how many names a file has.
func linksOf(info os.FileInfo) uint64 { return uint64(info.Sys().(*syscall.Stat_t).Nlink) }

// FreeSpace returns how many bytes may still be written to root's disk.
func FreeSpace(root *os.Root) (int64, error) { return rootDisk{root}.free() }
