package shuffle

import "fmt"

// mergeRuns is how many runs Compact makes one of, at most.
const mergeRuns = 64

// Compact merges runs, neighbours in the order of the input, until there are at most
// Sizes.MaxRuns. It merges no more of them than that takes, so that its time grows with
// the data and makes no step. What is merged depends on the runs alone, not on where
// they lie.
//
// each calls do for 0..n-1, possibly at the same time, and returns an error of theirs
// if there is one. Nothing may be put any more.
func (s *Store) Compact(each func(n int, do func(i int) error) error) error {
	for maxRuns := s.o.Sizes.MaxRuns; len(s.runs) > maxRuns; {
		old := s.sorted()
		excess := len(old) - maxRuns

		// The first so many runs, in groups of perGroup, each of which becomes one run.
		groups := ceil(excess, max(1, min(mergeRuns, maxRuns)-1))
		merged := min(excess+groups, len(old))
		perGroup := ceil(merged, groups)
		groups = ceil(merged, perGroup)

		runs := make([]*run, groups, groups+len(old)-merged)
		err := each(groups, func(i int) (err error) {
			runs[i], err = s.merge(old[i*perGroup : min((i+1)*perGroup, merged)])
			return err
		})
		if err != nil {
			return err
		}
		s.runs = append(runs, old[merged:]...)
	}
	return nil
}

// ceil returns a/b, rounded up.
func ceil(a, b int) int { return (a + b - 1) / b }

// merge makes one run of some, which it frees.
func (s *Store) merge(runs []*run) (*run, error) {
	// The merged run has the place of the first in the order of the input, and takes
	// exactly the bytes of all: entries are copied.
	merged := &run{task: runs[0].task, seq: runs[0].seq}
	var size int64
	for _, r := range runs {
		size += r.size()
	}
	if err := s.reserve(merged, size, nil); err != nil {
		return nil, err
	}

	merger, err := newMerger(runs, All(), s.o.Sizes.HeldBytes)
	if err != nil {
		return nil, err
	}

	out := blockWriter{s: s, run: merged}
	for c := merger.top(); c != nil; c = merger.top() {
		if err := out.add(c); err != nil {
			return nil, err
		}
		if err := merger.advance(); err != nil {
			return nil, err
		}
	}

	if err := out.flush(); err != nil {
		return nil, err
	}

	s.free(runs)
	return merged, nil
}

// free releases runs in memory; room in the file is not used again.
func (s *Store) free(runs []*run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range runs {
		if r.data != nil {
			s.held -= r.size()
			r.data = nil
		}
	}
}

// blockWriter fills the room that was reserved for a run.
type blockWriter struct {
	s   *Store
	run *run
	buf []byte // the current block
	at  int64  // where it begins in the run
}

// add copies the entry that a cursor is at.
func (w *blockWriter) add(c *cursor) error {
	if len(w.buf) > 0 && len(w.buf)+len(c.entry()) > blockBytes {
		if err := w.flush(); err != nil {
			return err
		}
	}

	if len(w.buf) == 0 {
		w.run.blocks = append(w.run.blocks, block{first: string(c.key), off: int(w.at)})
	}
	w.buf = append(w.buf, c.entry()...)
	return nil
}

// flush writes the current block.
func (w *blockWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}

	// The room may lie in memory or in the file.
	w.run.blocks[len(w.run.blocks)-1].len = len(w.buf)
	if w.run.data != nil {
		copy(w.run.data[w.at:], w.buf)
	} else if _, err := w.run.file.WriteAt(w.buf, w.run.off+w.at); err != nil {
		return fmt.Errorf("spill to %s: %w", w.s.o.Dir, err)
	}
	w.at += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}
