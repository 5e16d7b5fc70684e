package columns

import "slices"

const (
	// aheadRows is how many records are put together at once: their texts, some 700 kB,
	// stay in the processor's cache.
	aheadRows = 32
	// aheadAfter is how many records must have been read one after the other before that.
	aheadAfter = 4
	// aheadBytes is the largest average record for which it pays.
	aheadBytes = 64 << 10
	// maxStretches bounds the stretches of these records: members in any order pay less.
	maxStretches = 3 * aheadRows
	// maxBetween bounds the nodes behind which a leaf is known to follow.
	maxBetween = 8
)

// ahead is the texts of some records, which are put together column by column. A record
// has a text in each of some hundred columns. Record by record nearly every one would have
// to come from memory; the values of one column for the next records lie side by side.
type ahead struct {
	next   int // the row behind the last one that was read
	streak int // rows that were read one after the other

	first     int       // of the rows that are put together
	ends      []int     // of the stretches of each of them
	stretches []stretch // of all of them
	between   [][]between
}

// stretch is members of a record that are in the order of the tree. Most records are one.
type stretch struct {
	row    int
	leaves []byte // a bit for each leaf, as in a shape
	last   int32  // the node whose text stands before what comes next; at first the record
	style  style
	text   []byte
	rest   map[int32][]byte // the rare members of the record, once they are read
}

// between is what stands before the text of a leaf in records of a style, behind another
// node.
type between struct {
	last  int32
	style style
	text  []byte
}

// appendAhead appends the text of a row, which is not odd, if rows are read one after the
// other. Otherwise, and where a row is damaged, ok is false.
func (g *Group) appendAhead(dst []byte, row int) (_ []byte, ok bool) {
	a := &g.ahead
	if row == a.next {
		a.streak++
	} else {
		a.streak = 0
	}
	a.next = row + 1

	// Make the next texts, unless only some rows are read or records are large.
	if row < a.first || row >= a.first+len(a.ends) {
		if a.streak < aheadAfter || g.info.RawBytes/int64(g.info.Rows) > aheadBytes {
			return dst, false
		}
		if !g.assemble(row) {
			a.ends = a.ends[:0]
			a.streak = 0
			return dst, false
		}
	}

	begin := 0
	if row > a.first {
		begin = a.ends[row-a.first-1]
	}
	end := a.ends[row-a.first]
	for _, made := range a.stretches[begin:end] {
		dst = append(dst, made.text...)
	}
	return dst, begin < end
}

// assemble makes the texts of the next rows. It fails where one of them is damaged, which
// reading that row alone explains.
func (g *Group) assemble(first int) (ok bool) {
	a := &g.ahead
	t := &g.info.tree
	a.first = first
	a.ends = a.ends[:0]
	a.stretches = a.stretches[:0]
	if a.between == nil {
		a.between = make([][]between, len(t.leaves))
	}

	for row := first; row < min(first+aheadRows, g.info.Rows); row++ {
		if !g.addStretches(row) || len(a.stretches) > maxStretches {
			return false
		}
		a.ends = append(a.ends, len(a.stretches))
	}

	for leaf := range t.leaves {
		if !g.assembleLeaf(leaf) {
			return false
		}
	}

	// The last stretch of a row closes what is open; an odd row has none.
	begin := 0
	for _, end := range a.ends {
		if end > begin {
			last := &a.stretches[end-1]
			last.text = t.appendEnd(last.text, 0, last.last)
		}
		begin = end
	}
	return true
}

// addStretches divides the members of a row into stretches.
func (g *Group) addStretches(row int) (ok bool) {
	if odd, err := g.Odd(row); err != nil || odd != nil {
		return err == nil
	}
	leaves, err := g.leaves(row)
	if err != nil {
		return false
	}

	a := &g.ahead
	t := &g.info.tree
	var current *stretch
	last := int32(-1)
	for _, leaf := range leaves {
		// A member that comes before its place in the tree begins a stretch, which follows
		// the last one. The memory of earlier rows is used again.
		if current == nil || leaf <= last {
			a.stretches = slices.Grow(a.stretches, 1)[:len(a.stretches)+1]
			current = &a.stretches[len(a.stretches)-1]
			*current = stretch{row: row, style: g.shape.style, text: current.text[:0], leaves: slices.Grow(current.leaves[:0], len(t.leaves)/8+1)[:len(t.leaves)/8+1]}
			clear(current.leaves)
			if last >= 0 {
				current.last = t.leaves[last]
			}
		}
		current.leaves[leaf/8] |= 1 << (leaf % 8)
		last = leaf
	}
	return true
}

// assembleLeaf appends a leaf, with what stands before it, to the stretches that have it.
func (g *Group) assembleLeaf(leaf int) (ok bool) {
	node := g.info.tree.leaves[leaf]
	for i := range g.ahead.stretches {
		at := &g.ahead.stretches[i]
		if at.leaves[leaf/8]>>(leaf%8)&1 == 0 {
			continue
		}

		text, err := g.textOf(at, node)
		if err != nil || text == nil {
			return false
		}
		at.text = append(append(at.text, g.between(leaf, at)...), text...)
		at.last = node
	}
	return true
}

// textOf returns the text of a node.
func (g *Group) textOf(at *stretch, node int32) ([]byte, error) {
	number := g.info.tree.nodes[node].column
	if number >= 0 {
		c, err := g.column(int(number))
		if err != nil {
			return nil, err
		}
		return c.text(at.row), nil
	}

	// The rare members of a row are parsed once, although other rows come in between.
	if at.rest == nil {
		if _, err := g.restText(at.row, node); err != nil {
			return nil, err
		}
		at.rest = g.rest
	}
	return at.rest[node], nil
}

// between returns what stands before the text of a leaf, behind the last one.
func (g *Group) between(leaf int, at *stretch) []byte {
	known := g.ahead.between[leaf]
	for i := range known {
		if known[i].last == at.last && known[i].style == at.style {
			return known[i].text
		}
	}

	t := &g.info.tree
	text := t.appendBetween(nil, 0, at.last, t.leaves[leaf], at.style)
	if len(known) < maxBetween {
		g.ahead.between[leaf] = append(known, between{at.last, at.style, text})
	}
	return text
}
