package layout

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// op names one change of the disk; tests record their order and fail them.
type op string

const (
	opMkdir   op = "mkdir"
	opAppend  op = "append"
	opSync    op = "sync"
	opRename  op = "rename"
	opLink    op = "link"
	opSyncDir op = "syncdir"
	opRemove  op = "remove"
)

// disk is every change that this package makes to a data folder, all inside one
// os.Root, so that neither ".." nor a symbolic link leads outside. Paths use "/".
type disk struct {
	root *os.Root
	// hook runs before every change and may forbid it: fault injection.
	// Nil outside tests.
	hook func(o op, path string) error
}

func (d *disk) before(o op, name string) error {
	if d.hook == nil {
		return nil
	}
	return d.hook(o, name)
}

// mkdirAll makes dir and its parents; touched collects the folders that got a
// new entry and must be synced before the change is durable.
func (d *disk) mkdirAll(dir string, touched map[string]bool) error {
	if dir == "." || dir == "" {
		return nil
	}
	if fi, err := d.root.Stat(dir); err == nil && fi.IsDir() {
		return nil
	}
	if err := d.mkdirAll(path.Dir(dir), touched); err != nil {
		return err
	}
	if err := d.before(opMkdir, dir); err != nil {
		return err
	}
	if err := d.root.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	touched[path.Dir(dir)] = true
	return nil
}

// append adds b to the end of the file, which is opened and closed for it, so
// that the number of files in the making is not bounded by descriptors.
func (d *disk) append(name string, b []byte) error {
	if err := d.before(opAppend, name); err != nil {
		return err
	}
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// sync makes the content of the file durable.
func (d *disk) sync(name string) error { return d.syncPath(opSync, name) }

// syncDir makes the entries of the folder durable.
func (d *disk) syncDir(name string) error { return d.syncPath(opSyncDir, name) }

func (d *disk) syncPath(o op, name string) error {
	if err := d.before(o, name); err != nil {
		return err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func (d *disk) rename(from, to string) error {
	if err := d.before(opRename, to); err != nil {
		return err
	}
	return d.root.Rename(from, to)
}

// remove removes a file or an empty folder; one that does not exist is fine.
func (d *disk) remove(name string) error {
	if err := d.before(opRemove, name); err != nil {
		return err
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// list returns the entries of a folder by name, none when it does not exist.
func (d *disk) list(dir string) ([]fs.DirEntry, error) {
	es, err := fs.ReadDir(d.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return es, err
}

// lockDir takes the exclusive lock of a folder, which lasts until the returned
// file is closed or the process ends. ErrBusy when somebody else has it; an
// error wrapping fs.ErrNotExist when the folder went away.
func (d *disk) lockDir(dir string) (*os.File, error) {
	f, err := d.root.Open(dir)
	if err != nil {
		return nil, err
	}
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
		if now, err = d.root.Stat(dir); err == nil && !os.SameFile(held, now) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: err}
	}
	return f, nil
}
