package revisions

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
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

// Text returns the definitions of ref as they are on disk, which were not parsed. An error
// wraps fs.ErrNotExist if there are none.
func (c *Cache) Text(ref Ref) ([]byte, error) { return c.readDisk(ref) }

// readDisk returns the text of ref's file; fs.ErrNotExist (wrapped) if there is
// none, errSum if its checksum does not match.
func (c *Cache) readDisk(ref Ref) ([]byte, error) {
	if c.root == nil {
		return nil, fs.ErrNotExist
	}
	text, err := c.root.ReadFile(ref.file())
	if err == nil {
		_, err = c.checkSum(ref, text)
	}
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
	if err := c.writeDefinitions(ref, text); err != nil {
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

// sumSuffix ends the name of the file beside the definitions that has their checksum, as
// sha256sum writes and checks it. Definitions of an older version, or of a person, have
// none until they are read.
const sumSuffix = ".sha256"

// formatSum returns the content of the file with the checksum.
func formatSum(text []byte) []byte {
	return fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(text), definitionsFile)
}

// errSum says that definitions are not those that were stored.
var errSum = errors.New("the checksum in " + definitionsFile + sumSuffix + " does not match; remove that if you changed the definitions")

// checkSum returns errSum if the checksum on disk says that text is damaged. noted says
// whether there is a checksum.
func (c *Cache) checkSum(ref Ref, text []byte) (noted bool, err error) {
	sum, err := c.root.ReadFile(ref.file() + sumSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if !bytes.Equal(sum, formatSum(text)) {
		return true, errSum
	}
	return true, nil
}

// writeDefinitions replaces ref's definitions on disk, and their checksum.
func (c *Cache) writeDefinitions(ref Ref, text []byte) error {
	// Never the new text beside the old checksum.
	if err := c.root.Remove(ref.file() + sumSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeFile(c.root, ref.file(), text); err != nil {
		return err
	}
	return writeFile(c.root, ref.file()+sumSuffix, formatSum(text))
}

// noteSum writes the checksum of definitions that have none, as far as the folder can be
// written.
func (c *Cache) noteSum(ref Ref, text []byte) {
	if err := writeFile(c.root, ref.file()+sumSuffix, formatSum(text)); err != nil {
		c.o.Log.Debug("the checksum of definitions is not noted", "revision", ref, "err", err)
	}
}
