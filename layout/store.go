package layout

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

// store is where a partition tree lies. Names use "/" and are relative to it.
// It is safe for concurrent use.
type store interface {
	// list returns what is in a folder, by name; nothing when there is no such folder.
	list(ctx context.Context, dir string) ([]entry, error)
	// open opens a file for reading; the error wraps fs.ErrNotExist when it is gone.
	open(name string) (file, error)
}

// entry is one name in a folder.
type entry struct {
	name    string
	dir     bool
	regular bool // a plain file; else, if no dir, a link or something odd
	size    int64
}

// file is an open file of known size.
type file interface {
	io.ReaderAt
	io.Closer
	size() int64
}

// localStore is a folder of this machine.
type localStore struct {
	root *os.Root
	data bool // a data folder: what compaction replaced is in state/replaced
}

func (s localStore) list(_ context.Context, dir string) ([]entry, error) {
	es, err := fs.ReadDir(s.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]entry, 0, len(es))
	for _, e := range es {
		x := entry{name: e.Name(), dir: e.IsDir(), regular: e.Type().IsRegular()}
		if x.regular {
			fi, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			x.size = fi.Size()
		}
		list = append(list, x)
	}
	return list, nil
}

// open opens a file. One that compaction replaced after it was listed is found
// where compaction keeps it for a while, so that a running job goes on reading
// the records that it planned for.
func (s localStore) open(name string) (file, error) {
	f, err := s.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) && s.data {
		if es, listErr := fs.ReadDir(s.root.FS(), ReplacedDir); listErr == nil {
			for _, e := range es {
				if strings.HasSuffix(e.Name(), replacedSuffix(name)) {
					f, err = s.root.Open(ReplacedDir + "/" + e.Name())
				}
			}
		}
	}
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return localFile{f, fi.Size()}, nil
}

// replacedSuffix is how the name of a file in ReplacedDir ends; before it
// stands when it came there, in Unix seconds.
func replacedSuffix(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "-" + hex.EncodeToString(sum[:16])
}

type localFile struct {
	*os.File
	bytes int64
}

func (f localFile) size() int64 { return f.bytes }
