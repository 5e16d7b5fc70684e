package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// uploadPrefix is how the names of files in the making begin; no listing shows them.
const uploadPrefix = ".upload-"

// folder is a Store for tests and trials: a folder of this machine with a file for
// each object. A folder that becomes empty stays.
type folder struct{ root *os.Root }

// openFolder opens file:///absolute or file://./relative.
func openFolder(u *url.URL) (*folder, error) {
	dir := filepath.FromSlash(u.Path)
	switch u.Host {
	case "", "localhost":
	case ".":
		dir = filepath.Join(".", dir)
	default:
		return nil, fmt.Errorf("%s names the machine %q; a folder of this machine is file:///folder", u, u.Host)
	}
	if dir == "" {
		return nil, fmt.Errorf("%s names no folder", u)
	}

	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}

	return &folder{root}, nil
}

// failure is the *Error for an error of the file system; nil if that is nil.
func failure(op, name string, err error) error {
	if err == nil {
		return nil
	}
	final := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrPermission)
	return &Error{Op: op, Name: name, Err: err, Final: final}
}

// rangeReader reads a part of a file.
type rangeReader struct {
	io.Reader
	io.Closer
}

func (f *folder) Get(_ context.Context, name string, from, to int64) (io.ReadCloser, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, failure("get", name, err)
	}

	if to < 0 {
		info, err := file.Stat()
		if err != nil {
			file.Close()
			return nil, failure("get", name, err)
		}
		to = info.Size()
	}

	return rangeReader{io.NewSectionReader(file, from, to-from), file}, nil
}

func (f *folder) Put(_ context.Context, name string, content Content, create bool) error {
	return failure("put", name, f.put(name, content, create))
}

// put writes a file of another name and then gives it its own, so that readers never
// see a part of it.
func (f *folder) put(name string, content Content, create bool) error {
	dir := path.Dir(name)
	if err := f.makeFolders(dir); err != nil {
		return err
	}

	upload := path.Join(dir, uploadPrefix+rand.Text())
	defer f.root.Remove(upload) // what a failure left, or the first of two names
	if err := f.write(upload, content); err != nil {
		return err
	}

	// A second name cannot be one that another file has.
	var err error
	if create {
		err = f.root.Link(upload, name)
	} else {
		err = f.root.Rename(upload, name)
	}
	if err != nil {
		return err
	}

	// The name is durable once the folder is.
	return f.syncFolder(dir)
}

// makeFolders makes a folder and those above it, durably.
func (f *folder) makeFolders(dir string) error {
	if info, err := f.root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := f.root.MkdirAll(dir, 0o777); err != nil {
		return err
	}

	for dir != "." {
		dir = path.Dir(dir)
		if err := f.syncFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder makes the names in a folder durable.
func (f *folder) syncFolder(dir string) error {
	folder, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// write makes a file and its content durable.
func (f *folder) write(name string, content Content) error {
	r, err := content()
	if err != nil {
		return err
	}
	defer r.Close()

	file, err := f.root.Create(name)
	if err != nil {
		return err
	}

	if _, err := io.Copy(file, r); err != nil {
		file.Close()
		return err
	}
	if err := file.Sync(); err != nil {
		file.Close()
		return err
	}

	return file.Close()
}

func (f *folder) List(_ context.Context, prefix string) (entries []Entry, err error) {
	dir := path.Clean("./" + prefix)
	found, err := fs.ReadDir(f.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure("list", dir, err)
	}

	for _, e := range found {
		if strings.HasPrefix(e.Name(), uploadPrefix) {
			continue
		}
		if e.IsDir() {
			entries = append(entries, Entry{Name: e.Name(), Dir: true})
			continue
		}

		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, failure("list", dir, err)
		}
		entries = append(entries, Entry{Name: e.Name(), Bytes: info.Size()})
	}

	return entries, nil
}

func (f *folder) Stat(_ context.Context, name string) (Info, error) {
	info, err := f.root.Stat(name)
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Info{}, failure("stat", name, err)
	}

	return Info{Bytes: info.Size(), Modified: info.ModTime()}, nil
}

func (f *folder) Copy(ctx context.Context, to, from string) error {
	return f.Put(ctx, to, func() (io.ReadCloser, error) { return f.root.Open(from) }, false)
}

func (f *folder) Delete(_ context.Context, name string) error {
	err := f.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	return failure("delete", name, err)
}

func (f *folder) Versions(context.Context, string) ([]Version, error) { return nil, nil }

func (f *folder) At(Version) Store { return f }

func (f *folder) Close() error { return f.root.Close() }
