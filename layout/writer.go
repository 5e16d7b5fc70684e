package layout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// WriterOptions tune a Writer. The zero value has the defaults.
type WriterOptions struct {
	// MemoryBytes bounds the uncompressed records that wait for their frame, over
	// all partitions; 0 means 96 MiB. The ID index of all records (20 bytes each) and
	// about 1 KiB per partition come on top. Open files: one at a time, and eight
	// while Commit syncs.
	MemoryBytes int
}

const defaultMemoryBytes = 96 << 20

// Published is one segment that a Commit made visible.
type Published struct {
	Path        string // relative to the data folder
	Dims        schema.Dims
	Quarantined bool
	Records     int64
	RawBytes    int64 // uncompressed
	Bytes       int64 // on disk
}

// Writer publishes the records of one raw log, all or none: readers see nothing
// before Commit. It belongs to one goroutine.
type Writer struct {
	d        *Data
	source   string
	dir      string   // staging folder
	lock     *os.File // of dir
	enc      *zstd.Encoder
	parts    map[string]*part // by final path
	budget   int
	buffered int // sum of Buffered over parts
	msOfDay  uint32
	version  int // of the published records
	attached []*attachment
	remove   []string // at the commit, relative to the data folder

	claims     map[seenKey]string // submissions first seen here, and their day
	seenSource seenSource
	err        error
}

// part is the segment of one partition, and where it goes.
type part struct {
	*segment.Builder
	staged      string
	final       string // relative to the data folder
	dims        schema.Dims
	quarantined bool
}

// NewWriter starts to publish the raw log with this base name. What an earlier,
// uncommitted try left is discarded; a committed one is finished first. An error
// wraps ErrBusy while another process converts the same raw log.
func (d *Data) NewWriter(source string, o WriterOptions) (*Writer, error) {
	if source == "" || source[0] == '.' || strings.ContainsAny(source, "/\\\x00") || len(source) > 200 {
		return nil, fmt.Errorf("raw log %q: not a file name", source)
	}
	w := &Writer{d: d, source: source, dir: path.Join(StagingDir, source), parts: map[string]*part{}, budget: o.MemoryBytes, version: StorageVersion}
	if w.budget <= 0 {
		w.budget = defaultMemoryBytes
	}
	if err := w.start(); err != nil {
		return nil, fmt.Errorf("publish %s: %w", source, err)
	}
	return w, nil
}

func (w *Writer) start() (err error) {
	if w.lock, err = w.d.folder.Stage(w.dir); err != nil {
		return err
	}
	if w.enc, err = segment.NewEncoder(zstd.SpeedFastest, segment.FrameBytes); err == nil && w.d.seen != nil {
		sum := sha256.Sum256([]byte(strings.TrimSuffix(w.source, ".finished")))
		w.seenSource = seenSource(sum[:8])
		err = w.d.seen.acquire()
	}
	if err != nil {
		w.lock.Close()
	}
	return err
}

// SetTime says when the records that follow were received. Deduplication orders
// the records of one document by it.
func (w *Writer) SetTime(t time.Time) {
	t = t.UTC()
	w.msOfDay = uint32(t.Sub(t.Truncate(24*time.Hour)) / time.Millisecond)
}

// SetVersion says in which storage version (see Segment.Version) the records are
// that are added; without it they are of StorageVersion. Call it before Add.
func (w *Writer) SetVersion(version int) { w.version = version }

// Add appends a record to the partition p, which Schema.Partition returned. id
// and json are copied; neither may hold a tab or a newline (json may hold a
// tab), and the date must be YYYYMMDD. Errors wrap ErrBadRecord, ErrRecordTooLarge (the Writer stays usable
// after both), or come from the disk (it does not).
func (w *Writer) Add(p schema.Dims, id, json []byte) error {
	return w.add(p, PublishedDir, id, json)
}

// AddRejected appends a quarantined submission, published by the same Commit.
func (w *Writer) AddRejected(q Rejected) error {
	if !utf8.ValidString(q.Path) {
		q.PathBytes = []byte(q.Path)
	}
	doc, err := json.Marshal(q)
	if err != nil {
		return err
	}
	id := strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return '_'
		}
		return r
	}, q.ID())
	if id == "" {
		id = schema.Unknown
	}
	return w.add(w.d.schema.Partition(q.dims()), classDir(q.Class), []byte(id), doc)
}

func (w *Writer) add(p schema.Dims, tree string, id, json []byte) error {
	if w.err != nil {
		return w.err
	}
	if len(id) == 0 || len(json) == 0 || bytes.ContainsAny(id, "\t\n\r") || bytes.IndexByte(json, '\n') >= 0 {
		return fmt.Errorf("record %.80q: %w", id, ErrBadRecord)
	}
	line := len(id) + len(json) + 2
	if line > segment.MaxRecordBytes {
		return fmt.Errorf("record %.80q of %d bytes: %w", id, line, ErrRecordTooLarge)
	}
	s, err := w.part(tree, p)
	if err != nil {
		return err
	}
	before := s.Buffered()
	w.err = s.Add(id, json, w.msOfDay)
	w.buffered += s.Buffered() - before
	if w.buffered > w.budget && w.err == nil {
		w.err = w.spill()
	}
	if w.err != nil {
		w.err = fmt.Errorf("publish %s: %w", w.source, w.err)
	}
	return w.err
}

func (w *Writer) part(tree string, p schema.Dims) (*part, error) {
	for i := range p {
		// The caller got p from Schema.Partition; a value that is not clean is a
		// bug that must not become a path.
		if p[i] != schema.Sanitise(i, p[i]) {
			return nil, fmt.Errorf("partition %q: value %q is not sanitised", p, p[i])
		}
	}
	if !schema.Date(p[schema.SubmissionDate]).WellFormed() {
		return nil, fmt.Errorf("submission date %q is not YYYYMMDD: %w", p[schema.SubmissionDate], ErrBadRecord)
	}
	key := tree + "/" + p.String()
	if s, ok := w.parts[key]; ok {
		return s, nil
	}
	version := w.version
	if tree != PublishedDir {
		version = StorageVersion
	}
	staged := path.Join(w.dir, strconv.Itoa(len(w.parts)))
	b, err := segment.NewBuilder(w.d.folder.Appender(staged), w.enc)
	if err != nil {
		return nil, err
	}
	s := &part{
		Builder:     b,
		staged:      staged,
		final:       path.Join(tree, segmentName(p, version, uniqueOf(w.source, nil))),
		dims:        p,
		quarantined: tree != PublishedDir,
	}
	w.parts[key] = s
	return s, nil
}

// spill writes the largest waiting frames to their staging files until half of
// the budget is free, and lets go of their buffers.
func (w *Writer) spill() error {
	byBuffer := make([]*part, 0, len(w.parts))
	for _, s := range w.parts {
		byBuffer = append(byBuffer, s)
	}
	slices.SortFunc(byBuffer, func(a, b *part) int { return b.Buffered() - a.Buffered() })
	for _, s := range byBuffer {
		if w.buffered <= w.budget/2 {
			break
		}
		w.buffered -= s.Buffered()
		if err := s.Release(); err != nil {
			return err
		}
	}
	return nil
}

// Commit publishes everything and removes the raw log of this name from raw/,
// if it is there. When it returns nil all of that is durable. When it fails
// before the commit file is written, nothing was published; afterwards the
// publication is finished by the next NewWriter or Recover. The Writer is
// closed either way. The result is ordered by path.
func (w *Writer) Commit(ctx context.Context) ([]Published, error) {
	if w.err != nil {
		w.Abort()
		return nil, w.err
	}
	pub, err := w.commit(ctx)
	if err != nil {
		err = fmt.Errorf("publish %s: %w", w.source, err)
	}
	w.close(errors.New("layout: Writer used after Commit"))
	return pub, err
}

// Paths returns where Commit will put the segments of what has been added so far,
// relative to the data folder, in order.
func (w *Writer) Paths() []string {
	var paths []string
	for _, s := range w.parts {
		paths = append(paths, s.final)
	}
	slices.Sort(paths)
	return paths
}

func (w *Writer) commit(ctx context.Context) ([]Published, error) {
	parts := make([]*part, 0, len(w.parts))
	for _, s := range w.parts {
		parts = append(parts, s)
	}
	slices.SortFunc(parts, func(a, b *part) int { return strings.Compare(a.final, b.final) })
	c := backend.Commit{Source: w.source, Remove: []string{path.Join(RawDir, w.source)}}
	for _, s := range parts { // the encoder belongs to this goroutine
		if err := s.Release(); err != nil {
			return nil, err
		}
	}
	var g errgroup.Group
	g.SetLimit(8) // a sync waits for the disk, not for a core
	for _, s := range parts {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.Finish(); err != nil {
				return err
			}
			return w.d.folder.Sync(s.staged)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	parts, err := w.withoutMerged(ctx, parts)
	if err != nil {
		return nil, err
	}
	pub := make([]Published, len(parts))
	for i, s := range parts {
		pub[i] = Published{s.final, s.dims, s.quarantined, s.Records, s.RawBytes, s.Size()}
		c.Rename = append(c.Rename, [2]string{path.Base(s.staged), s.final})
	}
	for _, name := range w.remove {
		if !slices.ContainsFunc(parts, func(s *part) bool { return s.final == name }) {
			c.Remove = append(c.Remove, name)
		}
	}
	for _, a := range w.attached {
		if err := a.finish(); err != nil {
			return nil, err
		}
		c.Rename = append(c.Rename, [2]string{path.Base(a.staged), a.final})
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if w.d.seen != nil {
		err = w.d.seen.remember(w.claims, w.seenSource)
	}
	if err == nil {
		err = w.d.folder.Commit(w.dir, c)
	}
	if err != nil {
		if w.d.seen != nil && !w.d.folder.Committed(w.dir) {
			err = errors.Join(err, w.d.seen.forget(w.claims, w.seenSource))
		}
		return nil, err
	}
	return pub, w.d.folder.Unstage(w.dir)
}

// Abort gives up: what was staged is removed, the raw log stays. It does
// nothing after Commit.
func (w *Writer) Abort() error {
	if w.lock == nil {
		return nil
	}
	err := w.d.folder.Unstage(w.dir)
	w.close(errors.New("layout: Writer used after Abort"))
	return err
}

func (w *Writer) close(reason error) {
	if w.err == nil {
		w.err = reason
	}
	if w.lock != nil {
		if w.d.seen != nil {
			w.d.seen.release(w.claims) // whose writes are all done
		}
		w.enc.Close()
		w.lock.Close()
		w.lock, w.parts = nil, nil
	}
}
