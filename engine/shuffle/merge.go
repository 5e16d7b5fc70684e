package shuffle

import (
	"bytes"
	"math"
)

// Merger reads one shard's keys from all runs. Not safe for concurrent use.
type Merger struct {
	runs      tournament
	common    string // what keys likely begin with; their prefixes begin behind it
	shard     Shard
	hi        uint64 // prefix of shard.hi
	heldBytes int

	key    []byte
	values Values
	left   [][]byte // blocks that values refer to and cursors have left
	free   [][]byte // blocks that are not in use any more
}

func newMerger(runs []*run, shard Shard, heldBytes int) (*Merger, error) {
	m := &Merger{shard: shard, common: likelyPrefix(runs, shard), heldBytes: heldBytes}
	m.hi = m.prefix([]byte(shard.hi))

	// Without runs there is one that has ended.
	if len(runs) == 0 {
		m.runs = tournament{{cursor: &cursor{}}}
		return m, nil
	}

	// Move each cursor to its first key of the shard.
	leaves := make([]contender, len(runs))
	for i, r := range runs {
		reader := &cursor{run: r, order: i, block: r.seek(shard.lo) - 1}
		for {
			first, err := m.next(reader)
			if err != nil {
				return nil, err
			}
			leaves[i] = first
			if first.key == nil || string(first.key) >= shard.lo {
				break
			}
		}
	}
	m.runs = newTournament(leaves)
	return m, nil
}

// likelyPrefix returns what the first keys of the blocks in the shard begin with.
func likelyPrefix(runs []*run, shard Shard) (common string) {
	first := true

	for _, r := range runs {
		for _, b := range r.blocks {
			switch {
			case !shard.has(b.first):
			case first:
				common = b.first
				first = false
			default:
				common = common[:commonPrefix(common, b.first)]
			}
		}
	}
	return common
}

// prefix orders keys as they are ordered, or makes them equal.
func (m *Merger) prefix(key []byte) uint64 {
	size := len(m.common)
	if len(key) >= size && string(key[:size]) == m.common {
		return keyPrefix(key, size)
	}

	// The key does not begin like the others, so it comes before or behind all of them.
	if string(key) < m.common {
		return 0
	}
	return math.MaxUint64
}

// next moves a cursor to its next entry, or to its end.
func (m *Merger) next(c *cursor) (contender, error) {
	for c.off == len(c.data) {
		m.leave(c)

		if c.block+1 == len(c.run.blocks) {
			c.key = nil
			c.data = nil
			c.off = 0
			return contender{math.MaxUint64, c}, nil
		}

		// Load the next block, into memory that is free if it has to be read.
		c.block++
		var spare []byte
		if n := len(m.free); n > 0 && c.run.data == nil {
			spare = m.free[n-1]
			m.free = m.free[:n-1]
		}
		var err error
		if c.data, err = c.run.load(c.block, spare); err != nil {
			return contender{}, err
		}
		c.off = 0
		c.held = false
	}

	if err := c.parse(); err != nil {
		return contender{}, err
	}
	return contender{m.prefix(c.key), c}, nil
}

// leave keeps the memory of a cursor's block for another block, at once or when the
// values that refer to it are done with. Blocks of runs in memory are the run's own.
func (m *Merger) leave(c *cursor) {
	switch {
	case c.run.data != nil || c.data == nil:
	case c.held:
		m.left = append(m.left, c.data)
	default:
		m.free = append(m.free, c.data)
	}
}

// top returns the cursor with the lowest key, nil behind the last of all runs.
func (m *Merger) top() *cursor {
	if c := m.runs[0].cursor; c.key != nil {
		return c
	}
	return nil
}

// advance moves the top cursor to its next entry.
func (m *Merger) advance() error {
	moved, err := m.next(m.runs[0].cursor)
	if err != nil {
		return err
	}
	m.runs.replace(moved)
	return nil
}

// Next returns the next key and its values, which are valid until the next call;
// nil at the shard's end. Errors are those of reading runs that were spilled.
func (m *Merger) Next() (key []byte, values *Values, err error) {
	// The values of the last key are done with, so their blocks are free.
	m.free = append(m.free, m.left...)
	m.left = m.left[:0]

	top := m.top()
	if top == nil || m.ended(top) {
		return nil, nil, nil
	}

	// Collect the values of this key from all runs, in their order.
	m.key = append(m.key[:0], top.key...)
	all := &m.values
	*all = Values{pieces: all.pieces[:0]}
	prefix := m.runs[0].prefix
	held := 0
	for ; top != nil && m.runs[0].prefix == prefix && bytes.Equal(top.key, m.key); top = m.top() {
		part := piece{run: top.run, block: top.block, off: top.valuesOff, bytes: top.valuesLen}

		// Keep what was read in memory, up to a bound; Values reads the rest again.
		if top.run.data != nil || held < m.heldBytes {
			part.data = top.values()
			if top.run.data == nil {
				held += len(top.data)
				top.held = true
			}
		}
		all.pieces = append(all.pieces, part)
		all.n += top.n

		if err := m.advance(); err != nil {
			return nil, nil, err
		}
	}
	return m.key, all, nil
}

// ended says whether the top cursor is behind the shard's end.
func (m *Merger) ended(c *cursor) bool {
	return !m.shard.last && m.runs[0].prefix >= m.hi && string(c.key) >= m.shard.hi
}
