package engine

import (
	"context"
	"fmt"
)

// maxRuns is how many runs the reducers merge at a time: each costs them up to
// blockBytes of memory, and a look into one of its blocks for every shard. It
// decides where shards are cut, so only tests change it.
var maxRuns = 1024

// mergeRuns is how many runs compact makes one of, at most.
const mergeRuns = 64

// compact merges runs, neighbours in the order of the input, until there are at
// most maxRuns; no more of them than that takes, so that the time grows with the
// data and makes no step. What is merged depends on the runs alone, not on where
// they lie.
func (s *store) compact(ctx context.Context, workers int) error {
	for len(s.runs) > maxRuns {
		old := s.sorted()
		excess := len(old) - maxRuns
		groups := ceil(excess, max(1, min(mergeRuns, maxRuns)-1))
		merged := min(excess+groups, len(old)) // in groups, each of which becomes one
		each := ceil(merged, groups)
		groups = ceil(merged, each)
		runs := make([]*run, groups, groups+len(old)-merged)
		err := parallel(ctx, workers, groups, func(_ context.Context, i int) (err error) {
			runs[i], err = s.merge(old[i*each : min((i+1)*each, merged)])
			return err
		})
		if err != nil {
			return err
		}
		s.runs = append(runs, old[merged:]...)
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

// merge makes one run of some, which are let go.
func (s *store) merge(runs []*run) (*run, error) {
	merged := &run{task: runs[0].task, seq: runs[0].seq}
	var size int64
	for _, r := range runs {
		size += r.size()
	}
	if err := s.reserve(merged, size, nil); err != nil {
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
	for c := m.top(); c != nil; c = m.top() {
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
