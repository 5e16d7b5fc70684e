package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
)

// Tree is a partition tree open for reading: a data folder's, or one of the
// predecessor. It is safe for concurrent use, and sees what is published while
// it is open.
type Tree struct {
	dir  string
	root *os.Root
	data bool // a data folder: the trees are its published/ and invalid/
	own  bool // root is closed with the Tree
	log  *slog.Logger
}

// OpenTree opens a data folder, recognised by its published/, or else a
// partition tree. The caller closes the Tree.
func OpenTree(dir string) (*Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	fi, err := root.Stat(PublishedDir)
	t := newTree(dir, root, err == nil && fi.IsDir())
	t.own = true
	return t, nil
}

func newTree(dir string, root *os.Root, data bool) *Tree {
	return &Tree{dir: dir, root: root, data: data, log: slog.New(slog.DiscardHandler)}
}

// SetLog makes the Tree report what it skips. Call it before anything else.
func (t *Tree) SetLog(l *slog.Logger) { t.log = l }

// Close releases the Tree. Readers must have been closed.
func (t *Tree) Close() error {
	if !t.own {
		return nil
	}
	return t.root.Close()
}

// Segments lists the segments that the filter selects, sorted by Path. Folders
// that it does not select are not listed. Files that are no segment (temporary,
// hidden, foreign) and symbolic links are skipped, counted and logged.
func (t *Tree) Segments(ctx context.Context, f Filter) ([]Segment, error) {
	w := walk{t: t, f: f}
	var err error
	if t.data {
		err = w.dir(ctx, PublishedDir, 0, Segment{})
		if err == nil && f.IncludeInvalid {
			err = w.invalid(ctx, InvalidDir)
		}
	} else {
		err = w.dir(ctx, ".", 0, Segment{})
		if err == nil && f.IncludeInvalid {
			// The predecessor kept invalid/ beside the reasons, without classes.
			err = w.dir(ctx, InvalidDir, 0, Segment{Invalid: true})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.dir, err)
	}
	if w.skipped > 0 {
		t.log.Warn("files that are no segments were skipped", "files", w.skipped, "first", w.first)
	}
	slices.SortFunc(w.found, func(a, b Segment) int { return strings.Compare(a.Path, b.Path) })
	return w.found, nil
}

// walk is one pruned listing.
type walk struct {
	t       *Tree
	f       Filter
	found   []Segment
	skipped int
	first   string // skipped
}

func (w *walk) skip(name string) {
	if w.skipped++; w.skipped == 1 {
		w.first = name
	}
}

func (w *walk) list(dir string) ([]fs.DirEntry, error) {
	es, err := fs.ReadDir(w.t.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // removed by retention as we came, or never there
	}
	return es, err
}

// invalid lists the classes of quarantined records.
func (w *walk) invalid(ctx context.Context, dir string) error {
	classes, err := w.list(dir)
	for _, e := range classes {
		if err == nil && e.IsDir() {
			err = w.dir(ctx, path.Join(dir, e.Name()), 0, Segment{Invalid: true, Class: e.Name()})
		}
	}
	return err
}

// dir lists one folder at a level of the tree; s carries the dimensions above it.
func (w *walk) dir(ctx context.Context, dir string, level int, s Segment) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	es, err := w.list(dir)
	if err != nil {
		return err
	}
	for _, e := range es {
		name := path.Join(dir, e.Name())
		switch {
		case level < BuildID && e.IsDir() && e.Name()[0] != '.':
			if level == 0 && !w.t.data && e.Name() == InvalidDir {
				continue
			}
			if !w.f.Matches(level, e.Name()) {
				continue
			}
			s.Dims[level] = e.Name()
			if err := w.dir(ctx, name, level+1, s); err != nil {
				return err
			}
		case level == BuildID && e.Type().IsRegular():
			if err := w.file(e, name, s); err != nil {
				return err
			}
		default:
			w.skip(name)
		}
	}
	return nil
}

func (w *walk) file(e fs.DirEntry, name string, s Segment) error {
	if !s.parseSegmentName(e.Name()) {
		w.skip(name)
		return nil
	}
	if !w.f.Matches(BuildID, s.Dims[BuildID]) || !w.f.Matches(Date, s.Dims[Date]) {
		return nil
	}
	fi, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Size() == 0 && s.ext == "lzma" {
		return nil // the predecessor's placeholder of an exported file
	}
	s.Path, s.Size = name, fi.Size()
	w.found = append(w.found, s)
	return nil
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
func (t *Tree) index(s Segment) (*os.File, *index, error) {
	f, err := t.root.Open(s.Path)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	var ix *index
	if err == nil {
		ix, err = readIndex(f, fi.Size())
	}
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
		return &Reader{path: s.Path, file: f, next: &frames{r: f, list: ix.frames[min(max(lo, 0), hi):hi]}}, nil
	}
	if lo != 0 || hi >= 0 {
		return nil, fmt.Errorf("open %s: %w", s.Path, ErrNoFrames)
	}
	f, err := t.root.Open(s.Path)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	var src io.Reader
	if err == nil {
		src, err = unpack(f, fi.Size(), s.ext)
	}
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
}

// Next returns the next block: one or more whole lines `<id>\t<json>\n`, valid
// until the next call. It returns io.EOF after the last one and a *CorruptError
// for damaged or truncated data, and then goes on returning that.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	b, err := r.next.block()
	if err != nil && err != io.EOF {
		err = inFile(r.path, err)
	}
	r.err = err
	if err != nil {
		return nil, err
	}
	return b, nil
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
