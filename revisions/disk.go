package revisions

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"time"
)

// file returns the name of ref's file below the folder.
func (r Ref) file() string { return path.Join(r.Repo, r.Revision, definitionsFile) }

func (c *Cache) readDisk(ref Ref) ([]byte, error) {
	if c.root == nil {
		return nil, fs.ErrNotExist
	}
	text, err := c.root.ReadFile(ref.file())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.o.Log.Warn("cached definitions are unreadable", "revision", ref, "err", err)
	}
	return text, err
}

// save keeps text on disk, atomically. Failing to is not an error: the text is
// asked for again.
func (c *Cache) save(ref Ref, text []byte) {
	if c.root == nil {
		return
	}
	if err := writeFile(c.root, ref.file(), text); err != nil {
		c.o.Log.Warn("definitions not cached", "revision", ref, "err", err)
	}
}

// writeFile replaces the file name below root: temporary name, write, fsync,
// rename, fsync of the folder.
func writeFile(root *os.Root, name string, text []byte) error {
	dir := path.Dir(name)
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := path.Join(dir, "."+path.Base(name)+"."+strconv.Itoa(os.Getpid())+"."+strconv.FormatInt(time.Now().UnixNano(), 36))
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = root.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(tmp))
	}
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
