package backend

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"syscall"
)

// Op names one change of the disk; tests record their order and fail them.
type Op string

const (
	OpMkdir   Op = "mkdir"
	OpAppend  Op = "append"
	OpSync    Op = "sync"
	OpRename  Op = "rename"
	OpLink    Op = "link"
	OpSyncDir Op = "syncdir"
	OpRemove  Op = "remove"
)

// Disk is every change that is made to a data folder, all inside one os.Root, so
// that neither ".." nor a symbolic link leads outside. Paths use "/". It is safe
// for concurrent use.
type Disk struct {
	Root *os.Root
	Hook Hook
}

// Hook runs before every change, which an error of it prevents: fault injection. Nil
// outside tests.
type Hook func(root *os.Root, o Op, path string) error

func (d *Disk) before(o Op, name string) error {
	if d.Hook == nil {
		return nil
	}
	return d.Hook(d.Root, o, name)
}

// MkdirAll makes dir and its parents; touched collects the folders that got a
// new entry and must be synced before the change is durable.
func (d *Disk) MkdirAll(dir string, touched map[string]bool) error {
	if dir == "." || dir == "" {
		return nil
	}
	if fi, err := d.Root.Stat(dir); err == nil && fi.IsDir() {
		return nil
	}
	if err := d.MkdirAll(path.Dir(dir), touched); err != nil {
		return err
	}
	if err := d.before(OpMkdir, dir); err != nil {
		return err
	}
	if err := d.Root.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	touched[path.Dir(dir)] = true
	return nil
}

// Append adds b to the end of the file, which is opened and closed for it, so
// that the number of files in the making is not bounded by descriptors.
func (d *Disk) Append(name string, b []byte) error {
	if err := d.before(OpAppend, name); err != nil {
		return err
	}
	f, err := d.Root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Appender returns a writer that appends to the file.
func (d *Disk) Appender(name string) io.Writer { return appender{d, name} }

type appender struct {
	d    *Disk
	name string
}

func (a appender) Write(b []byte) (int, error) {
	if err := a.d.Append(a.name, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Sync makes the content of the file durable.
func (d *Disk) Sync(name string) error { return d.syncPath(OpSync, name) }

// SyncDir makes the entries of the folder durable.
func (d *Disk) SyncDir(name string) error { return d.syncPath(OpSyncDir, name) }

// SyncDirs does SyncDir for each folder, unless it is gone.
func (d *Disk) SyncDirs(names map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		err := d.SyncDir(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (d *Disk) syncPath(o Op, name string) error {
	if err := d.before(o, name); err != nil {
		return err
	}
	f, err := d.Root.Open(name)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Rename moves a file, replacing what is there.
func (d *Disk) Rename(from, to string) error {
	if err := d.before(OpRename, to); err != nil {
		return err
	}
	return d.Root.Rename(from, to)
}

// Link gives a file a second name. When that is taken by another file the error
// wraps fs.ErrExist; when it is this file's already, all is well.
func (d *Disk) Link(name, second string) error {
	if err := d.before(OpLink, second); err != nil {
		return err
	}
	err := d.Root.Link(name, second)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	one, errOne := d.Root.Lstat(name)
	two, errTwo := d.Root.Lstat(second)
	if errOne == nil && errTwo == nil && os.SameFile(one, two) {
		return nil
	}
	return err
}

// Remove removes a file or an empty folder; one that does not exist is fine.
func (d *Disk) Remove(name string) error {
	if err := d.before(OpRemove, name); err != nil {
		return err
	}
	if err := d.Root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List returns the entries of a folder by name, none when it does not exist.
func (d *Disk) List(dir string) ([]fs.DirEntry, error) {
	es, err := fs.ReadDir(d.Root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return es, err
}

// Lock takes the exclusive lock of a folder, which lasts until the returned
// file is closed or the process ends. ErrBusy when somebody else has it; an
// error wrapping fs.ErrNotExist when the folder went away.
func (d *Disk) Lock(dir string) (*os.File, error) {
	f, err := d.Root.Open(dir)
	if err != nil {
		return nil, err
	}

	// The kernel gives the lock back when the process ends, however it ends.
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: err}
	}

	// The former owner may have removed the folder just before it let go.
	held, err := f.Stat()
	if err == nil {
		var now fs.FileInfo
		if now, err = d.Root.Stat(dir); err == nil && !os.SameFile(held, now) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: err}
	}

	return f, nil
}
