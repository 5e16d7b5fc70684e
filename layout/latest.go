package layout

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// Duplicates are the records of a list of segments that a later record of the
// same document replaces. It is safe for concurrent use.
type Duplicates struct {
	drop    map[string][]uint64 // by path: a bit per record; only where one is set
	Dropped int64
}

// LatestOptions tune Latest. The zero value has the defaults.
type LatestOptions struct {
	WorkDir string // for temporary data; "" is the system's
	// MemoryBytes bounds the entries (40 bytes per record) in memory; more goes
	// to the work folder. 0 means 128 MiB. One bit per record of the segments with
	// duplicates comes on top.
	MemoryBytes int
}

const (
	latestMemory = 128 << 20
	latestBytes  = 40  // per entry in memory
	latestShards = 256 // files that entries are spread over when memory is full
)

// Latest finds, over all the segments, the latest record of each document (ID and
// kind), and returns the others. All sessions are one kind: a saved-session
// replaces the idle-dailies of its session, whatever their order; any other
// reason is a kind of its own. Later is what was received later; of two in the
// same millisecond, the one that comes later in the list.
//
// It reads the ID indexes, not the data; only old files, which have none, are
// read once for it. It is exact: an ID is a UUID or 128 bits of a SHA-256.
// Quarantined records are never duplicates.
func (t *Tree) Latest(ctx context.Context, segs []Segment, o LatestOptions) (*Duplicates, error) {
	l := latest{x: &Duplicates{drop: map[string][]uint64{}}, segs: segs, kinds: map[string]uint16{}, o: o}
	if l.o.MemoryBytes <= 0 {
		l.o.MemoryBytes = latestMemory
	}
	defer l.cleanup()
	for i, s := range segs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s.Quarantined {
			continue
		}
		if err := l.addSegment(t, i, s); err != nil {
			return nil, fmt.Errorf("deduplicate: %w", err)
		}
	}
	if err := l.finish(); err != nil {
		return nil, fmt.Errorf("deduplicate: %w", err)
	}
	return l.x, nil
}

// latestEntry is one record. The greatest of a document stays.
type latestEntry struct {
	ID      segment.ID
	Kind    uint16
	Saved   uint16 // 1: a saved-session
	Date    uint32 // YYYYMMDD
	MsOfDay uint32
	Segment uint32
	Record  uint32
}

func (e *latestEntry) compare(f *latestEntry) int {
	return cmp.Or(
		bytes.Compare(e.ID[:], f.ID[:]), cmp.Compare(e.Kind, f.Kind),
		cmp.Compare(e.Saved, f.Saved), cmp.Compare(e.Date, f.Date), cmp.Compare(e.MsOfDay, f.MsOfDay),
		cmp.Compare(e.Segment, f.Segment), cmp.Compare(e.Record, f.Record),
	)
}

type latest struct {
	x       *Duplicates
	o       LatestOptions
	segs    []Segment
	kinds   map[string]uint16
	entries []latestEntry
	dir     string // of the shards; "" while everything is in memory
	shards  [latestShards]*os.File
	bufs    [latestShards]*bufio.Writer
}

func (l *latest) addSegment(t *Tree, i int, s Segment) error {
	date, err := strconv.ParseUint(s.Dims[schema.SubmissionDate], 10, 32)
	if err != nil {
		return fmt.Errorf("%s: date %q", s.Path, s.Dims[schema.SubmissionDate])
	}
	reason := s.Dims[schema.Reason]
	e := latestEntry{Date: uint32(date), Segment: uint32(i)}
	if reason == "saved_session" {
		e.Saved = 1
		reason = "idle_daily"
	}
	kind, ok := l.kinds[reason]
	if !ok {
		kind = uint16(len(l.kinds))
		l.kinds[reason] = kind
	}
	e.Kind = kind
	add := func(ids segment.IDs) error {
		for n := range ids.Len() {
			e.ID, e.MsOfDay = ids.At(n)
			if err := l.add(&e); err != nil {
				return err
			}
			e.Record++
		}
		return nil
	}
	if !s.Seekable() {
		return t.Salvage(s, true, func(_ []byte, ids segment.IDs) error { return add(ids) })
	}
	f, ix, err := t.Index(s)
	if err != nil {
		return err
	}
	defer f.Close()
	ids, err := ix.ReadIDs(f)
	if err != nil {
		return InFile(s.Path, err)
	}
	return add(ids)
}

func (l *latest) add(e *latestEntry) error {
	if l.dir == "" {
		l.entries = append(l.entries, *e)
		if len(l.entries)*latestBytes < l.o.MemoryBytes {
			return nil
		}
		return l.spread()
	}
	return binary.Write(l.bufs[e.ID[15]], binary.LittleEndian, e)
}

// spread begins to spread the entries over files by document, so that each file
// can be handled alone.
func (l *latest) spread() (err error) {
	if l.dir, err = os.MkdirTemp(l.o.WorkDir, "latest-"); err != nil {
		return err
	}
	for i := range l.shards {
		if l.shards[i], err = os.Create(fmt.Sprintf("%s/%d", l.dir, i)); err != nil {
			return err
		}
		l.bufs[i] = bufio.NewWriterSize(l.shards[i], 32<<10)
	}
	for i := range l.entries {
		if err := l.add(&l.entries[i]); err != nil {
			return err
		}
	}
	l.entries = l.entries[:0]
	return nil
}

func (l *latest) finish() error {
	if l.dir == "" {
		l.settle()
		return nil
	}
	for i, f := range l.shards {
		if err := l.bufs[i].Flush(); err != nil {
			return err
		}
		size, err := f.Seek(0, io.SeekCurrent)
		if err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
		if err != nil {
			return err
		}
		n := int(size) / binary.Size(latestEntry{})
		l.entries = slices.Grow(l.entries[:0], n)[:n]
		if err := binary.Read(bufio.NewReaderSize(f, 1<<20), binary.LittleEndian, l.entries); err != nil {
			return err
		}
		l.settle()
	}
	return nil
}

// settle marks all but the greatest entry of each document.
func (l *latest) settle() {
	slices.SortFunc(l.entries, func(a, b latestEntry) int { return a.compare(&b) })
	for i := range l.entries {
		e := &l.entries[i]
		if i+1 < len(l.entries) && e.ID == l.entries[i+1].ID && e.Kind == l.entries[i+1].Kind {
			l.x.mark(l.segs[e.Segment].Path, int(e.Record))
		}
	}
}

func (l *latest) cleanup() {
	if l.dir == "" {
		return
	}
	for _, f := range l.shards {
		if f != nil {
			f.Close()
		}
	}
	os.RemoveAll(l.dir)
}

func (x *Duplicates) mark(path string, record int) {
	bits := x.drop[path]
	if word := record / 64; word >= len(bits) {
		bits = append(bits, make([]uint64, word+1-len(bits))...)
		x.drop[path] = bits
	}
	bits[record/64] |= 1 << (record % 64)
	x.Dropped++
}
