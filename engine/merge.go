package engine

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// shardBytes is about how much run data one reduce task merges: little enough for its
// output to wait in memory. It decides which keys share a reducer's globals, so only
// tests change it.
var shardBytes int64 = 16 << 20

// shard is the keys from lo (inclusive) to hi (exclusive; none if last).
type shard struct {
	lo, hi string
	last   bool
}

// cutShards cuts the key space of the runs so that each shard has about
// shardBytes, judged by the first keys of blocks.
func cutShards(runs []*run) []shard {
	var total int64
	for _, r := range runs {
		total += r.size()
	}
	want := int(total/shardBytes) + 1
	shards := []shard{{last: true}}
	if want == 1 {
		return shards
	}
	var all []block
	for _, r := range runs {
		all = append(all, r.blocks...)
	}
	slices.SortFunc(all, func(a, b block) int {
		if a.first == b.first {
			return 0
		}
		if a.first < b.first {
			return -1
		}
		return 1
	})
	var seen int64
	for i, b := range all {
		if cur := &shards[len(shards)-1]; seen*int64(want) >= total*int64(len(shards)) && i > 0 && b.first > cur.lo {
			cur.hi, cur.last = b.first, false
			shards = append(shards, shard{lo: b.first, last: true})
		}
		seen += int64(b.len)
	}
	return shards
}

// cursor reads the entries of one run.
type cursor struct {
	run   *run
	order int // of the run in the input
	block int // index of data
	data  []byte
	start int  // of the current entry
	off   int  // behind it
	kept  bool // a piece refers to data

	key        []byte // nil at the run's end
	n          int
	voff, vlen int
}

// parse reads the entry at off.
func (c *cursor) parse() error {
	c.start = c.off
	kl, ok := c.uvarint()
	if !ok || kl > len(c.data)-c.off {
		return errMalformedRun
	}
	c.key = c.data[c.off : c.off+kl]
	c.off += kl
	n, ok1 := c.uvarint()
	vl, ok2 := c.uvarint()
	if !ok1 || !ok2 || vl > len(c.data)-c.off {
		return errMalformedRun
	}
	c.n, c.voff, c.vlen = n, c.off, vl
	c.off += vl
	return nil
}

// entry returns the bytes of the current entry.
func (c *cursor) entry() []byte { return c.data[c.start:c.off] }

func (c *cursor) uvarint() (int, bool) {
	if c.off < len(c.data) && c.data[c.off] < 0x80 {
		c.off++
		return int(c.data[c.off-1]), true
	}
	x, w := binary.Uvarint(c.data[c.off:])
	c.off += max(w, 0)
	return int(x), w > 0 && x < 1<<40
}

// player is a cursor with the prefix of its key: most comparisons look at that only.
type player struct {
	prefix uint64
	*cursor
}

// less orders by key, then by the order of the input; what has ended comes last.
func (p player) less(q player) bool {
	if p.prefix != q.prefix {
		return p.prefix < q.prefix
	}
	if p.key == nil || q.key == nil {
		return q.key == nil && (p.key != nil || p.order < q.order)
	}
	if k := bytes.Compare(p.key, q.key); k != 0 {
		return k < 0
	}
	return p.order < q.order
}

// merger reads one shard's keys from all runs.
type merger struct {
	// tree is a tournament of the runs: tree[0] is the winner, with the lowest key, and
	// tree[i] the loser of the match between what came from 2i and 2i+1. Run i enters
	// at leaf len(tree)+i.
	tree   []player
	common string // what keys likely begin with; their prefixes begin behind it
	shard  shard
	hi     uint64 // prefix of shard.hi
	key    []byte
	values Values
	left   [][]byte // blocks that values refer to and cursors have left
	free   [][]byte // memory of blocks that nobody refers to
}

func newMerger(runs []*run, sh shard) (*merger, error) {
	m := &merger{shard: sh, tree: make([]player, max(1, len(runs)))}
	m.common = likelyPrefix(runs, sh)
	m.hi = m.prefix([]byte(sh.hi))
	leaves := make([]player, len(runs))
	for i, r := range runs {
		c := &cursor{run: r, order: i, block: r.seek(sh.lo) - 1}
		for {
			p, err := m.next(c)
			if err != nil {
				return nil, err
			}
			if leaves[i] = p; p.key == nil || string(p.key) >= sh.lo {
				break
			}
		}
	}
	if len(runs) == 0 {
		m.tree[0] = player{cursor: &cursor{}}
		return m, nil
	}
	m.tree[0] = m.play(1, leaves)
	return m, nil
}

// play has the matches at i and below, and returns their winner.
func (m *merger) play(i int, leaves []player) player {
	if i >= len(leaves) {
		return leaves[i-len(leaves)]
	}
	a, b := m.play(2*i, leaves), m.play(2*i+1, leaves)
	if b.less(a) {
		a, b = b, a
	}
	m.tree[i] = b
	return a
}

// likelyPrefix returns what the first keys of the blocks in the shard begin with.
func likelyPrefix(runs []*run, sh shard) (common string) {
	first := true
	for _, r := range runs {
		for _, b := range r.blocks {
			switch {
			case b.first < sh.lo || !sh.last && b.first >= sh.hi:
			case first:
				common, first = b.first, false
			default:
				common = common[:commonPrefix(common, b.first)]
			}
		}
	}
	return common
}

// prefix orders keys as they are ordered, or leaves it open.
func (m *merger) prefix(key []byte) uint64 {
	n := len(m.common)
	if len(key) >= n && string(key[:n]) == m.common {
		return keyPrefix(key, n)
	}
	if string(key) < m.common {
		return 0
	}
	return math.MaxUint64
}

// next moves a cursor to its next entry, or to its end.
func (m *merger) next(c *cursor) (player, error) {
	for c.off == len(c.data) {
		switch {
		case c.run.data != nil || c.data == nil:
		case c.kept:
			m.left = append(m.left, c.data)
		default:
			m.free = append(m.free, c.data)
		}
		if c.block+1 == len(c.run.blocks) {
			c.key, c.data, c.off = nil, nil, 0
			return player{math.MaxUint64, c}, nil
		}
		c.block++
		var spare []byte
		if n := len(m.free); n > 0 && c.run.data == nil {
			spare, m.free = m.free[n-1], m.free[:n-1]
		}
		var err error
		if c.data, err = c.run.load(c.block, spare); err != nil {
			return player{}, err
		}
		c.off, c.kept = 0, false
	}
	if err := c.parse(); err != nil {
		return player{}, err
	}
	return player{m.prefix(c.key), c}, nil
}

// top returns the cursor with the lowest key, nil behind the last of all runs.
func (m *merger) top() *cursor {
	if c := m.tree[0].cursor; c.key != nil {
		return c
	}
	return nil
}

// advance moves the top cursor to its next entry.
func (m *merger) advance() error {
	p, err := m.next(m.tree[0].cursor)
	if err != nil {
		return err
	}
	for i := (len(m.tree) + p.order) / 2; i > 0; i /= 2 {
		if m.tree[i].less(p) {
			m.tree[i], p = p, m.tree[i]
		}
	}
	m.tree[0] = p
	return nil
}

// group returns the next key and its values, which are valid until the next call;
// nil at the shard's end.
func (m *merger) group() ([]byte, *Values, error) {
	m.free, m.left = append(m.free, m.left...), m.left[:0]
	c := m.top()
	if c == nil || !m.shard.last && m.tree[0].prefix >= m.hi && string(c.key) >= m.shard.hi {
		return nil, nil, nil
	}
	m.key = append(m.key[:0], c.key...)
	v := &m.values
	*v = Values{pieces: v.pieces[:0]}
	prefix, held := m.tree[0].prefix, 0
	for ; c != nil && m.tree[0].prefix == prefix && bytes.Equal(c.key, m.key); c = m.top() {
		p := piece{run: c.run, block: c.block, off: c.voff, bytes: c.vlen}
		if c.run.data != nil || held < heldBytes {
			p.data = c.data[c.voff : c.voff+c.vlen]
			if c.run.data == nil {
				held += len(c.data)
				c.kept = true
			}
		}
		v.pieces = append(v.pieces, p)
		v.n += c.n
		if err := m.advance(); err != nil {
			return nil, nil, err
		}
	}
	return m.key, v, nil
}
