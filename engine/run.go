package engine

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
)

// blockBytes is the unit in which runs are read, and a block's size at most, unless
// one value takes more; a key with more values spans several blocks.
const blockBytes = 32 << 10

// run is a sorted list of keys with their values, cut into blocks of
//
//	uvarint len(key) · key · uvarint n · uvarint len(values) · values
//
// entries. It is immutable.
type run struct {
	task, seq int // order of the input
	blocks    []block
	data      []byte // nil when in the store's file
	file      *os.File
	off       int64
}

type block struct {
	first    string // its first key
	off, len int
}

// load returns block i, in spare if it is to be read and spare is large enough. Else
// the bytes stay valid. They must not be changed.
func (r *run) load(i int, spare []byte) ([]byte, error) {
	b := r.blocks[i]
	if r.data != nil {
		return r.data[b.off : b.off+b.len], nil
	}
	if cap(spare) < b.len {
		spare = make([]byte, max(b.len, blockBytes))
	}
	buf := spare[:b.len]
	if _, err := r.file.ReadAt(buf, r.off+int64(b.off)); err != nil {
		return nil, fmt.Errorf("read spilled run: %w", err)
	}
	return buf, nil
}

// size returns the bytes of the run's entries.
func (r *run) size() int64 {
	if n := len(r.blocks); n > 0 {
		return int64(r.blocks[n-1].off + r.blocks[n-1].len)
	}
	return 0
}

// seek returns the block where entries of keys ≥ key begin at the earliest.
func (r *run) seek(key string) int {
	return max(0, sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].first >= key })-1)
}

// runBuilder makes a run out of groups added in key order.
type runBuilder struct {
	buf    []byte
	blocks []block
	start  int
	kept   bool // somebody else keeps buf
}

// expect makes room for groups at once.
func (w *runBuilder) expect(groups []*group) {
	size := 0
	for _, g := range groups {
		size += len(g.key) + len(g.vals) + entryOverhead
	}
	w.buf = slices.Grow(w.buf, size)
}

// entryOverhead is what an entry costs beside key and values, mostly.
const entryOverhead = 6

func (w *runBuilder) add(g *group) {
	vals, n := g.vals, int(g.n)
	for {
		part, k := vals, n
		if len(part) > blockBytes {
			part, k = splitValues(vals, blockBytes)
		}
		if len(w.buf)-w.start > 0 && len(w.buf)-w.start+len(g.key)+len(part)+entryOverhead > blockBytes {
			w.cut()
		}
		if len(w.buf) == w.start {
			w.blocks = append(w.blocks, block{first: strings.Clone(g.key), off: w.start})
		}
		w.buf = append(binary.AppendUvarint(w.buf, uint64(len(g.key))), g.key...)
		w.buf = binary.AppendUvarint(w.buf, uint64(k))
		w.buf = append(binary.AppendUvarint(w.buf, uint64(len(part))), part...)
		if vals, n = vals[len(part):], n-k; n == 0 {
			return
		}
	}
}

// cut ends the block, if it has begun.
func (w *runBuilder) cut() {
	if len(w.buf) > w.start {
		w.blocks[len(w.blocks)-1].len = len(w.buf) - w.start
		w.start = len(w.buf)
	}
}

// splitValues returns the leading values that fit into limit bytes, at least
// one, and their number.
func splitValues(vals []byte, limit int) (part []byte, n int) {
	end := 0
	for end < len(vals) {
		l, w := binary.Uvarint(vals[end:])
		if next := end + w + int(l); n == 0 || next <= limit {
			end = next
			n++
			continue
		}
		break
	}
	return vals[:end], n
}

// store keeps runs: in memory up to a limit, then in one file. It is safe for
// concurrent use.
type store struct {
	dir   string // of the file
	limit int64  // bytes in memory

	mu      sync.Mutex // protects what follows
	runs    []*run
	held    int64
	spilled int64
	file    *os.File

	builders sync.Pool // of *runBuilder whose runs have been written to the file
}

// builder returns an empty runBuilder.
func (s *store) builder() *runBuilder {
	if w, ok := s.builders.Get().(*runBuilder); ok {
		return w
	}
	return &runBuilder{}
}

// put keeps what w built, which is not used any more, as run seq of a task.
func (s *store) put(task, seq int, w *runBuilder) error {
	w.cut()
	if len(w.blocks) == 0 {
		return nil
	}
	r := &run{task: task, seq: seq, blocks: w.blocks}
	if err := s.reserve(r, int64(len(w.buf)), w.buf); err != nil {
		return err
	}
	if r.data == nil {
		if _, err := r.file.WriteAt(w.buf, r.off); err != nil {
			return fmt.Errorf("spill to %s: %w", s.dir, err)
		}
		if !w.kept {
			s.builders.Put(&runBuilder{buf: w.buf[:0]})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, r)
	return nil
}

// reserve gives r room for size bytes: in memory, which is buf where that is not nil,
// or in the file.
func (s *store) reserve(r *run, size int64, buf []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held+size <= s.limit {
		s.held += size
		if buf == nil {
			buf = make([]byte, size)
		}
		r.data = buf
		return nil
	}
	if err := s.open(); err != nil {
		return err
	}
	r.file, r.off = s.file, s.spilled
	s.spilled += size
	return nil
}

// open makes the file, if there is none.
func (s *store) open() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp(s.dir, "tmrun-spill-*")
	if err != nil {
		return fmt.Errorf("create spill file: %w", err)
	}
	os.Remove(f.Name()) // the open file stays readable; nothing is left behind
	s.file = f
	return nil
}

// sorted returns all runs in input order. Nothing may be put any more.
func (s *store) sorted() []*run {
	sort.Slice(s.runs, func(i, j int) bool {
		a, b := s.runs[i], s.runs[j]
		return a.task < b.task || a.task == b.task && a.seq < b.seq
	})
	return s.runs
}

func (s *store) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
