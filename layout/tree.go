package layout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// Tree is a partition tree open for reading: a data folder's, or one of the
// predecessor. It is safe for concurrent use, and sees what is published while
// it is open.
type Tree struct {
	name  string
	files backend.Backend
	data  bool // a data folder: the trees are its published/ and invalid/
	log   *slog.Logger
	close func() error // of what belongs to the Tree; may be nil

	indexes *columnIndexes

	forgotten *forget.Set // whose records Readers leave out; see SkipForgotten
	hits      sync.Map    // *forget.Set by path and size: those that a segment may have
}

// IsURL says whether a tree's name is the URL of an object store, see backend.IsURL.
func IsURL(name string) bool { return backend.IsURL(name) }

// OpenTree opens a data folder, recognised by its published/, or else a
// partition tree; in a folder or in an object store (see IsURL). The caller
// closes the Tree.
func OpenTree(dir string) (*Tree, error) {
	if backend.IsURL(dir) {
		return openRemoteTree(dir)
	}

	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}

	info, err := root.Stat(PublishedDir)
	data := err == nil && info.IsDir()
	tree := newTree(dir, localBackend(root, data), data)
	tree.close = root.Close
	return tree, nil
}

func openRemoteTree(name string) (*Tree, error) {
	blob, err := backend.OpenBlob(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}

	// The listing also says whether the store answers at all.
	entries, err := blob.List(context.Background(), ".")
	if err != nil {
		blob.Close()
		return nil, fmt.Errorf("open %s: %w", name, err)
	}

	// An object store has no empty folders, so published/ may be missing.
	data := slices.ContainsFunc(entries, func(e backend.Entry) bool {
		return e.Dir && (e.Name == PublishedDir || e.Name == StateDir)
	})
	tree := newTree(name, blob, data)
	tree.close = blob.Close
	return tree, nil
}

// BlobTree is the published records of a data folder in an object store. It
// needs no Close.
func BlobTree(b *backend.Blob) *Tree { return newTree(b.URL(), b, true) }

func newTree(name string, s backend.Backend, data bool) *Tree {
	if data {
		s = backend.WithTrash(s, TrashDir)
	}
	return &Tree{name: name, files: s, data: data, log: slog.New(slog.DiscardHandler), indexes: &columnIndexes{}}
}

// localBackend is a folder of this machine; in a data folder, segments that
// compaction replaced stay readable for a while.
func localBackend(root *os.Root, data bool) backend.Backend {
	if data {
		return backend.Local{Root: root, Replaced: ReplacedDir}
	}

	return backend.Local{Root: root}
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
	Frames   int   // that Open can open; 1 for formats without frames
}

// Info reads the segment's trailer, not its data. Damage is a *CorruptError.
func (t *Tree) Info(s Segment) (Info, error) {
	if s.InColumns() {
		return t.columnsInfo(s)
	}
	if !s.Seekable() {
		return Info{Records: -1, RawBytes: -1, Frames: 1}, nil
	}

	file, ix, err := t.Index(s)
	if err != nil {
		return Info{}, err
	}
	file.Close()

	return Info{Records: ix.Records, RawBytes: ix.RawBytes, Frames: len(ix.Frames)}, nil
}

// OpenFile opens the file of a segment as it is. The error wraps fs.ErrNotExist
// when the segment is gone. The caller closes the file.
func (t *Tree) OpenFile(s Segment) (backend.File, error) { return t.files.Open(s.Path) }

// Index opens a seekable segment and reads its index. The caller closes the file.
func (t *Tree) Index(s Segment) (backend.File, *segment.Index, error) {
	file, err := t.files.Open(s.Path)
	if err != nil {
		return nil, nil, err
	}

	ix, err := segment.ReadIndex(file, file.Size())
	if err != nil {
		file.Close()
		return nil, nil, InFile(s.Path, err)
	}
	return file, ix, nil
}

// InFile names the file in an error about it, which comes from package segment or
// from the disk.
func InFile(name string, err error) error {
	if corrupt, ok := errors.AsType[*CorruptError](err); ok {
		corrupt.Path = name
		return err
	}

	return fmt.Errorf("read %s: %w", name, err)
}

// Open opens the frames lo up to, not including, hi of a segment; hi < 0 stands
// for the end. For formats without frames only (0, -1) is possible, else
// ErrNoFrames. The caller closes the Reader.
func (t *Tree) Open(s Segment, lo, hi int) (*Reader, error) {
	reader, err := t.open(s, lo, hi)
	if err != nil || t.forgotten.Len() == 0 {
		return reader, err
	}

	hits, err := t.Hits(s, t.forgotten)
	if err != nil {
		reader.Close()
		return nil, err
	}
	reader.leaveOut(hits, s.Quarantined)
	return reader, nil
}

// open is Open, whose Reader returns forgotten clients too.
func (t *Tree) open(s Segment, lo, hi int) (*Reader, error) {
	if s.Seekable() {
		return t.openFrames(s, lo, hi)
	}
	if s.InColumns() {
		return t.openColumns(s, lo, hi)
	}

	if lo != 0 || hi >= 0 {
		return nil, fmt.Errorf("open %s: %w", s.Path, ErrNoFrames)
	}
	return t.openText(s)
}

func (t *Tree) openFrames(s Segment, lo, hi int) (*Reader, error) {
	file, ix, err := t.Index(s)
	if err != nil {
		return nil, err
	}

	if hi < 0 || hi > len(ix.Frames) {
		hi = len(ix.Frames)
	}
	lo = min(max(lo, 0), hi)
	file.Ahead(ix.Span(lo, hi))

	// Duplicates are known by the number of the record in the segment.
	reader := &Reader{path: s.Path, file: file, next: segment.NewFrames(file, ix.Frames[lo:hi])}
	for _, records := range ix.PerFrame[:lo] {
		reader.record += int(records)
	}
	return reader, nil
}

func (t *Tree) openText(s Segment) (*Reader, error) {
	file, err := t.files.Open(s.Path)
	if err != nil {
		return nil, err
	}

	file.Ahead(0, file.Size())
	text, err := segment.OpenText(file, file.Size(), s.ext)
	if err != nil {
		file.Close()
		return nil, InFile(s.Path, err)
	}
	return &Reader{path: s.Path, file: file, next: text}, nil
}
