package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"
)

// requireNoLink returns an error if a folder of the data folder, or one above it, is
// there and is no folder: files are renamed between these folders, which a symbolic link
// can make impossible when it is too late.
func (d *Data) requireNoLink(name string) error {
	if above := path.Dir(name); above != "." {
		if err := d.requireNoLink(above); err != nil {
			return err
		}
	}

	info, err := d.folder.Root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: raw, published, invalid and state must be folders on one file system; make the data folder itself a link, or mount the file system there", name)
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", name)
	}
	return nil
}

// requireOneFileSystem returns an error if files cannot be renamed from the staging
// folder, and between the others: what was acknowledged could never be published.
func (d *Data) requireOneFileSystem() error {
	staging, err := d.folder.Root.Stat(StagingDir)
	if err != nil {
		return err
	}

	for _, name := range []string{RawDir, PublishedDir, QuarantineDir} {
		info, err := d.folder.Root.Stat(name)
		if err != nil {
			return err
		}

		// Renaming what does not exist changes nothing, and says whether it is another mount.
		const nothing = ".no-such-file"
		err = d.folder.Root.Rename(path.Join(StagingDir, nothing), path.Join(name, nothing))
		if errors.Is(err, syscall.EXDEV) || deviceOf(info) != deviceOf(staging) {
			return fmt.Errorf("%s and %s are on different file systems: files could not be renamed from one to the other; mount one file system for the whole data folder", name, StagingDir)
		}
	}
	return nil
}

// deviceOf returns the file system that a file lies on.
func deviceOf(info fs.FileInfo) uint64 { return uint64(info.Sys().(*syscall.Stat_t).Dev) }
