package shuffle

import (
	"bytes"
	"encoding/binary"
)

// cursor reads the entries of one run.
type cursor struct {
	run   *run
	order int // of the run in the input
	block int // index of data
	data  []byte
	start int  // of the current entry
	off   int  // behind it
	held  bool // a piece refers to data

	key                  []byte // nil at the run's end
	n                    int    // of values
	valuesOff, valuesLen int    // in data
}

// parse reads the entry at off.
func (c *cursor) parse() error {
	// The key.
	c.start = c.off
	keyLen, ok := c.uvarint()
	if !ok || keyLen > len(c.data)-c.off {
		return errMalformedRun
	}
	c.key = c.data[c.off : c.off+keyLen]
	c.off += keyLen

	// The values, which are only found here, not read.
	n, ok1 := c.uvarint()
	valuesLen, ok2 := c.uvarint()
	if !ok1 || !ok2 || valuesLen > len(c.data)-c.off {
		return errMalformedRun
	}

	c.n = n
	c.valuesOff = c.off
	c.valuesLen = valuesLen
	c.off += valuesLen
	return nil
}

// entry returns the bytes of the current entry.
func (c *cursor) entry() []byte { return c.data[c.start:c.off] }

// values returns the values of the current entry.
func (c *cursor) values() []byte { return c.data[c.valuesOff : c.valuesOff+c.valuesLen] }

func (c *cursor) uvarint() (int, bool) {
	// Most lengths take one byte; this way they cost no call.
	if c.off < len(c.data) && c.data[c.off] < 0x80 {
		c.off++
		return int(c.data[c.off-1]), true
	}

	number, width := binary.Uvarint(c.data[c.off:])
	c.off += max(width, 0)
	return int(number), width > 0 && number < 1<<40
}

// contender is a cursor with the prefix of its key: most comparisons look at that only.
type contender struct {
	prefix uint64
	*cursor
}

// less orders by key, then by the order of the input; a run that has ended comes last.
func (p contender) less(q contender) bool {
	if p.prefix != q.prefix {
		return p.prefix < q.prefix
	}

	// Prefixes may be equal although the keys differ.
	if p.key == nil || q.key == nil {
		return q.key == nil && (p.key != nil || p.order < q.order)
	}
	if c := bytes.Compare(p.key, q.key); c != 0 {
		return c < 0
	}
	return p.order < q.order
}

// tournament is a tree of losers over some runs: entry 0 is the winner, with the lowest
// key, and entry i the loser of the match between the winners of 2i and 2i+1. Run i
// enters at leaf len(tree)+i. So moving the winner on costs one comparison a level.
//
// It replaces container/heap, which needs two. TestTournament compares the two;
// BenchmarkTournament pays for it, see docs/BENCHMARKS.md (2026-11-28).
type tournament []contender

// newTournament lets all leaves play, in the order of their runs. There must be one.
func newTournament(leaves []contender) tournament {
	tree := make(tournament, len(leaves))
	tree[0] = tree.play(1, leaves)
	return tree
}

// play lets the leaves below i play and returns their winner.
func (t tournament) play(i int, leaves []contender) contender {
	if i >= len(leaves) {
		return leaves[i-len(leaves)]
	}

	// Play the matches on both sides first.
	winner, loser := t.play(2*i, leaves), t.play(2*i+1, leaves)
	if loser.less(winner) {
		winner, loser = loser, winner
	}
	t[i] = loser
	return winner
}

// replace lets p, which is the winner's cursor moved on, play in the winner's place.
func (t tournament) replace(p contender) {
	for i := (len(t) + p.order) / 2; i > 0; i /= 2 {
		if t[i].less(p) {
			t[i], p = p, t[i]
		}
	}
	t[0] = p
}
