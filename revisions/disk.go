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

// Has says whether the definitions of ref are on disk.
func (c *Cache) Has(ref Ref) bool {
	if c.root == nil {
		return false
	}
	info, err := c.root.Stat(ref.file())
	return err == nil && info.Mode()&fs.ModeType == 0
}

// readDisk returns the text of ref's file; fs.ErrNotExist (wrapped) if there is
// none.
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

// save writes text to disk, atomically. A failure is only logged: the text is
// requested again then.
func (c *Cache) save(ref Ref, text []byte) {
	if c.root == nil {
		return
	}
	if err := writeFile(c.root, ref.file(), text); err != nil {
		c.o.Log.Warn("definitions not cached", "revision", ref, "err", err)
	}
}

// writeFile replaces the file name below root.
func writeFile(root *os.Root, name string, text []byte) error {
	dir := path.Dir(name)
	// The folders of the repository and the revision may be missing.
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return err
	}

	// Other processes may write the same file: the temporary name is this one's only.
	temp := path.Join(dir, "."+path.Base(name)+"."+strconv.Itoa(os.Getpid())+"."+strconv.FormatInt(time.Now().UnixNano(), 36))
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}

	// Sync before the rename: after a crash the name must not stand for half a text.
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(temp))
	}

	// The rename itself is durable when the folder is.
	d, err := root.Open(dir)
	if err != nil {
		return err
	}

	return errors.Join(d.Sync(), d.Close())
}
