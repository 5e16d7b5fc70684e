package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Backend is where a tree of files lies, for reading. Names use "/" and are relative to
// it. It is safe for concurrent use.
type Backend interface {
	// List returns what is in a folder, by name; nothing for a folder that does not exist.
	List(ctx context.Context, dir string) ([]Entry, error)
	// Open opens a file; the error wraps fs.ErrNotExist when it is gone.
	Open(name string) (File, error)
}

var (
	_ Backend = Local{}
	_ Backend = (*Blob)(nil)
)

// Entry is one name in a folder.
type Entry struct {
	Name    string
	Dir     bool
	Regular bool // a plain file; else, if no Dir, a link or something odd
	Size    int64
}

// File is an open file of known size. It belongs to one goroutine, who closes it.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
	// Ahead says that the bytes from there to there will be read next, in order, by
	// ReadAt, so that they may be fetched before they are asked for. What is read
	// elsewhere meanwhile costs a request of its own.
	Ahead(from, to int64)
}

// Local is a folder of this machine.
type Local struct {
	Root *os.Root
	// Replaced is the folder where a file that was replaced is kept for a while,
	// see ReplacedSuffix; "" without one.
	Replaced string
}

// List implements Backend.
func (s Local) List(_ context.Context, dir string) ([]Entry, error) {
	es, err := fs.ReadDir(s.Root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	// A file may go between the listing and the look at its size.
	list := make([]Entry, 0, len(es))
	for _, e := range es {
		entry := Entry{Name: e.Name(), Dir: e.IsDir(), Regular: e.Type().IsRegular()}
		if entry.Regular {
			fi, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			entry.Size = fi.Size()
		}
		list = append(list, entry)
	}

	return list, nil
}

// Open implements Backend. A file that was replaced after it was listed is found where
// it is kept for a while, so that a running job goes on reading the records that
// it planned for.
func (s Local) Open(name string) (File, error) {
	f, err := s.Root.Open(name)

	// A name in the folder of replaced files ends in a hash of the file's own.
	if errors.Is(err, fs.ErrNotExist) && s.Replaced != "" {
		if es, listErr := fs.ReadDir(s.Root.FS(), s.Replaced); listErr == nil {
			for _, e := range es {
				if strings.HasSuffix(e.Name(), ReplacedSuffix(name)) {
					f, err = s.Root.Open(s.Replaced + "/" + e.Name())
				}
			}
		}
	}
	if err != nil {
		return nil, err
	}

	// The size is that of the open file, whatever has the name by now.
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}

	return localFile{f, fi.Size()}, nil
}

// ReplacedSuffix is how the name of a file ends that Local.Replaced keeps; before it
// stands when it came there, in Unix seconds.
func ReplacedSuffix(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "-" + hex.EncodeToString(sum[:16])
}

type localFile struct {
	*os.File
	bytes int64
}

// Ahead implements File: the system reads ahead by itself.
func (f localFile) Ahead(int64, int64) {}

// Size implements File.
func (f localFile) Size() int64 { return f.bytes }
