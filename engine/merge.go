package engine

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// shardBytes is about how much run data one reduce task merges. It decides which
// keys share a reducer's globals, so only tests change it.
var shardBytes int64 = 64 << 20

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
	start int // of the current entry
	off   int // behind it

	key        []byte
	n          int
	voff, vlen int
}

// next moves to the next entry; false at the run's end.
func (c *cursor) next() (bool, error) {
	for c.off == len(c.data) {
		if c.block+1 == len(c.run.blocks) {
			return false, nil
		}
		c.block++
		var err error
		if c.data, err = c.run.load(c.block); err != nil {
			return false, err
		}
		c.off = 0
	}
	c.start = c.off
	kl, ok := c.uvarint()
	if !ok || kl > len(c.data)-c.off {
		return false, errMalformedRun
	}
	c.key = c.data[c.off : c.off+kl]
	c.off += kl
	n, ok1 := c.uvarint()
	vl, ok2 := c.uvarint()
	if !ok1 || !ok2 || vl > len(c.data)-c.off {
		return false, errMalformedRun
	}
	c.n, c.voff, c.vlen = n, c.off, vl
	c.off += vl
	return true, nil
}

// entry returns the bytes of the current entry.
func (c *cursor) entry() []byte { return c.data[c.start:c.off] }

func (c *cursor) uvarint() (int, bool) {
	x, w := binary.Uvarint(c.data[c.off:])
	c.off += max(w, 0)
	return int(x), w > 0 && x < 1<<40
}

func (c *cursor) less(d *cursor) bool {
	if k := bytes.Compare(c.key, d.key); k != 0 {
		return k < 0
	}
	return c.order < d.order
}

// merger reads one shard's keys from all runs.
type merger struct {
	heap   []*cursor // by key, then input order
	shard  shard
	key    []byte
	values Values
}

func newMerger(runs []*run, sh shard) (*merger, error) {
	m := &merger{shard: sh}
	for i, r := range runs {
		c := &cursor{run: r, order: i, block: r.seek(sh.lo) - 1}
		for {
			ok, err := c.next()
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			if string(c.key) >= sh.lo {
				m.heap = append(m.heap, c)
				break
			}
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m, nil
}

func (m *merger) down(i int) {
	h := m.heap
	for {
		k := 2*i + 1
		if k >= len(h) {
			return
		}
		if k+1 < len(h) && h[k+1].less(h[k]) {
			k++
		}
		if !h[k].less(h[i]) {
			return
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
}

// next returns the next key and its values, which are valid until the next call;
// nil at the shard's end.
func (m *merger) next() ([]byte, *Values, error) {
	if len(m.heap) == 0 || !m.shard.last && string(m.heap[0].key) >= m.shard.hi {
		return nil, nil, nil
	}
	m.key = append(m.key[:0], m.heap[0].key...)
	v := &m.values
	*v = Values{pieces: v.pieces[:0]}
	held := 0
	for len(m.heap) > 0 && bytes.Equal(m.heap[0].key, m.key) {
		c := m.heap[0]
		p := piece{run: c.run, block: c.block, off: c.voff, bytes: c.vlen}
		if c.run.data != nil || held < heldBytes {
			p.data = c.data[c.voff : c.voff+c.vlen]
			if c.run.data == nil {
				held += len(c.data)
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

// advance moves the first cursor to its next entry.
func (m *merger) advance() error {
	ok, err := m.heap[0].next()
	if err != nil {
		return err
	}
	if !ok {
		n := len(m.heap) - 1
		m.heap[0] = m.heap[n]
		m.heap = m.heap[:n]
	}
	m.down(0)
	return nil
}
