package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
)

// Tree is a partition tree open for reading: a data folder's, or one of the
// predecessor. It is safe for concurrent use, and sees what is published while
// it is open.
type Tree struct {
	name  string
	store store
	data  bool // a data folder: the trees are its published/ and invalid/
	log   *slog.Logger
	close func() error // of what belongs to the Tree; may be nil
}

// OpenTree opens a data folder, recognised by its published/, or else a
// partition tree; in a folder or in an object store (see IsURL). The caller
// closes the Tree.
func OpenTree(dir string) (*Tree, error) {
	if IsURL(dir) {
		return openRemoteTree(dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	fi, err := root.Stat(PublishedDir)
	data := err == nil && fi.IsDir()
	t := newTree(dir, localStore{root, data}, data)
	t.close = root.Close
	return t, nil
}

func openRemoteTree(name string) (*Tree, error) {
	s, err := openBlob(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	es, err := s.list(context.Background(), ".")
	if err != nil {
		s.close()
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	data := slices.ContainsFunc(es, func(e entry) bool {
		return e.dir && (e.name == PublishedDir || e.name == StateDir) // stores have no empty folders
	})
	t := newTree(name, s, data)
	t.close = s.close
	return t, nil
}

func newTree(name string, s store, data bool) *Tree {
	return &Tree{name: name, store: s, data: data, log: slog.New(slog.DiscardHandler)}
}

// IsData says whether the Tree is a data folder's.
func (t *Tree) IsData() bool { return t.data }

// SetLog makes the Tree report what it skips. Call it before anything else.
func (t *Tree) SetLog(l *slog.Logger) { t.log = l }

// Close releases the Tree. Readers must have been closed.
func (t *Tree) Close() error {
	if t.close == nil {
		return nil
	}
	return t.close()
}

// Info is what a segment says about itself.
type Info struct {
	Records  int64 // -1: the format does not say
	RawBytes int64 // uncompressed; -1: the format does not say
	Frames   int   // that Open may be asked for; 1 for formats without
}

// Info reads the segment's trailer, not its data. Damage is a *CorruptError.
func (t *Tree) Info(s Segment) (Info, error) {
	if !s.Seekable() {
		return Info{Records: -1, RawBytes: -1, Frames: 1}, nil
	}
	f, ix, err := t.index(s)
	if err != nil {
		return Info{}, err
	}
	f.Close()
	return Info{Records: ix.records, RawBytes: ix.rawBytes, Frames: len(ix.frames)}, nil
}

// index opens a seekable segment and reads its index.
func (t *Tree) index(s Segment) (file, *index, error) {
	f, err := t.store.open(s.Path)
	if err != nil {
		return nil, nil, err
	}
	ix, err := readIndex(f, f.size())
	if err != nil {
		f.Close()
		return nil, nil, inFile(s.Path, err)
	}
	return f, ix, nil
}

// inFile names the file in an error about it.
func inFile(name string, err error) error {
	if c, ok := errors.AsType[*CorruptError](err); ok {
		c.Path = name
		return err
	}
	return fmt.Errorf("read %s: %w", name, err)
}

// Open opens the frames lo up to, not including, hi of a segment; hi < 0 stands
// for the end. For formats without frames only (0, -1) is possible, else
// ErrNoFrames. The caller closes the Reader.
func (t *Tree) Open(s Segment, lo, hi int) (*Reader, error) {
	if s.Seekable() {
		f, ix, err := t.index(s)
		if err != nil {
			return nil, err
		}
		if hi < 0 || hi > len(ix.frames) {
			hi = len(ix.frames)
		}
		lo = min(max(lo, 0), hi)
		r := &Reader{path: s.Path, file: f, next: &frames{r: f, list: ix.frames[lo:hi]}}
		for _, n := range ix.perFrame[:lo] {
			r.record += int(n)
		}
		return r, nil
	}
	if lo != 0 || hi >= 0 {
		return nil, fmt.Errorf("open %s: %w", s.Path, ErrNoFrames)
	}
	f, err := t.store.open(s.Path)
	if err != nil {
		return nil, err
	}
	src, err := unpack(f, f.size(), s.ext)
	if err != nil {
		f.Close()
		return nil, &CorruptError{Path: s.Path, Err: err}
	}
	return &Reader{path: s.Path, file: f, next: &lines{r: src}}, nil
}

// Reader hands out the records of a segment, or of some of its frames, in
// blocks of whole lines. It belongs to one goroutine.
type Reader struct {
	path string
	file io.Closer
	next interface{ block() ([]byte, error) }
	err  error

	drop   []uint64 // records to leave out, by number in the segment
	record int      // number of the next one; counted only with drop
}

// Next returns the next block: one or more whole lines `<id>\t<json>\n`, valid
// until the next call. It returns io.EOF after the last one and a *CorruptError
// for damaged or truncated data, and then goes on returning that.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	for {
		b, err := r.next.block()
		if err != nil && err != io.EOF {
			err = inFile(r.path, err)
		}
		if r.err = err; err != nil {
			return nil, err
		}
		if r.drop != nil {
			b = r.withoutDuplicates(b)
		}
		if len(b) > 0 {
			return b, nil
		}
	}
}

// Close releases the Reader. It may be called twice.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	if c, ok := r.next.(io.Closer); ok {
		c.Close()
	}
	f := r.file
	r.file, r.err = nil, fs.ErrClosed
	return f.Close()
}
