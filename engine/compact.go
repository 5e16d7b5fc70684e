package engine

import (
	"context"
	"fmt"
)

// maxRuns is how many runs the reducers merge at a time: each costs them up to
// blockBytes of memory, and a look into one of its blocks for every shard. It
// decides where shards are cut, so only tests change it.
var maxRuns = 512

// compact merges runs, neighbours in the order of the input, until there are at
// most maxRuns. What is merged depends on the runs alone, not on where they lie.
func (s *store) compact(ctx context.Context, workers int) error {
	for len(s.runs) > maxRuns {
		old := s.sorted()
		each := (len(old) + maxRuns - 1) / maxRuns
		if each > maxRuns {
			each = maxRuns // and once more
		}
		s.runs = make([]*run, (len(old)+each-1)/each)
		err := parallel(ctx, workers, len(s.runs), func(_ context.Context, i int) (err error) {
			s.runs[i], err = s.merge(i, old[i*each:min((i+1)*each, len(old))])
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// merge makes one run of some, which are let go.
func (s *store) merge(task int, runs []*run) (*run, error) {
	merged := &run{task: task}
	var size int64
	for _, r := range runs {
		size += r.size()
	}
	if err := s.reserve(merged, size); err != nil {
		return nil, err
	}
	m, err := newMerger(runs, shard{last: true})
	if err != nil {
		return nil, err
	}
	var buf []byte // the block
	var at int64   // where it begins
	flush := func() error {
		if len(buf) == 0 {
			return nil
		}
		merged.blocks[len(merged.blocks)-1].len = len(buf)
		if merged.data != nil {
			copy(merged.data[at:], buf)
		} else if _, err := merged.file.WriteAt(buf, merged.off+at); err != nil {
			return fmt.Errorf("spill to %s: %w", s.dir, err)
		}
		at += int64(len(buf))
		buf = buf[:0]
		return nil
	}
	for len(m.heap) > 0 {
		c := m.heap[0]
		if len(buf) > 0 && len(buf)+len(c.entry()) > blockBytes {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		if len(buf) == 0 {
			merged.blocks = append(merged.blocks, block{first: string(c.key), off: int(at)})
		}
		buf = append(buf, c.entry()...)
		if err := m.advance(); err != nil {
			return nil, err
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	s.free(runs)
	return merged, nil
}

// reserve gives r room for size bytes: in memory, or in the file.
func (s *store) reserve(r *run, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held+size <= s.limit {
		s.held += size
		r.data = make([]byte, size)
		return nil
	}
	if err := s.open(); err != nil {
		return err
	}
	r.file, r.off = s.file, s.spilled
	s.spilled += size
	return nil
}

// free lets runs in memory go; room in the file is not used again.
func (s *store) free(runs []*run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range runs {
		if r.data != nil {
			s.held -= r.size()
			r.data = nil
		}
	}
}
