package columns

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// shape is which paths a row has, as far as it was needed.
type shape struct {
	row   int // of style and bits; -1: none
	style style
	bits  []byte // for each leaf, in the order of the tree; nil: the leaves are in another order

	leavesRow int // of leaves
	leaves    []int32
}

// readShape makes the shape that of a row, which is not odd.
func (g *Group) readShape(row int) error {
	// The same row mostly has several members read.
	if g.shape.row == row {
		return nil
	}

	// Until the shape is read completely, it is that of no row.
	g.shape.row = -1
	c, err := g.column(shapeColumn)
	if err != nil {
		return err
	}

	// The lowest bit of the tag says how the leaves are stored; the others are the style's number.
	text := c.text(row)
	tag, width := binary.Uvarint(text)
	if width <= 0 || tag>>1 >= uint64(len(g.info.styles)) {
		return g.badShape(row)
	}

	text = text[width:]
	g.shape.style = g.info.styles[tag>>1]
	leaves := len(g.info.tree.leaves)

	if tag&1 == 0 {
		// A bit for each leaf, in the order of the tree.
		if len(text) != (leaves+7)/8 {
			return g.badShape(row)
		}
		g.shape.bits = text
		g.shape.row = row
		return nil
	}

	// Otherwise a list of leaves, in the order of the record.
	g.shape.bits = nil
	g.shape.leavesRow = -1
	g.shape.leaves = g.shape.leaves[:0]
	for len(text) > 0 {
		leaf, width := binary.Uvarint(text)
		if width <= 0 || leaf >= uint64(leaves) {
			return g.badShape(row)
		}
		g.shape.leaves = append(g.shape.leaves, int32(leaf))
		text = text[width:]
	}
	g.shape.leavesRow = row
	g.shape.row = row
	return nil
}

// leaves returns the leaves of a row, which is not odd, in the order of the record. They are
// valid until another row is read.
func (g *Group) leaves(row int) ([]int32, error) {
	if err := g.readShape(row); err != nil {
		return nil, err
	}

	// A list is there already; bits become one when it is needed.
	s := &g.shape
	if s.leavesRow == row {
		return s.leaves, nil
	}
	s.leaves = s.leaves[:0]
	end := len(g.info.tree.leaves)
	for at, eight := range s.bits {
		for ; eight != 0; eight &= eight - 1 {
			if leaf := 8*at + bits.TrailingZeros8(eight); leaf < end {
				s.leaves = append(s.leaves, int32(leaf))
			}
		}
	}
	s.leavesRow = row
	return s.leaves, nil
}

// hasLeaves says whether the row whose shape was read has a leaf from the first one to before
// the end.
func (g *Group) hasLeaves(first, end int32) bool {
	if g.shape.bits == nil {
		return slices.ContainsFunc(g.shape.leaves, func(leaf int32) bool { return leaf >= first && leaf < end })
	}
	for leaf := first; leaf < end; leaf++ {
		if g.shape.bits[leaf/8]>>(leaf%8)&1 != 0 {
			return true
		}
	}
	return false
}

// Children returns the nodes of the members that an object of any record of the group has,
// in the order in which most records have them. They must not be changed.
func (g *Group) Children(node int32) []int32 { return g.info.tree.nodes[node].children }

// Members appends the nodes of the members of a record's object, in the order of the record;
// of these, the ones that are among nodes, which are some of its Children in their order.
func (g *Group) Members(dst []int32, row int, node int32, among []int32) ([]int32, error) {
	if err := g.readShape(row); err != nil {
		return dst, err
	}

	// Most records have the order of the tree.
	t := &g.info.tree
	if g.shape.bits != nil {
		for _, child := range among {
			if n := &t.nodes[child]; g.hasLeaves(n.firstLeaf, n.endLeaf) {
				dst = append(dst, child)
			}
		}
		return dst, nil
	}

	// Each leaf belongs to one member: the node above it that is one level below the object.
	object := &t.nodes[node]
	last := int32(-1)
	for _, leaf := range g.shape.leaves {
		if leaf < object.firstLeaf || leaf >= object.endLeaf || t.leaves[leaf] == node {
			continue
		}
		n := t.leaves[leaf]
		for t.nodes[n].parent != node {
			n = t.nodes[n].parent
		}

		// The leaves of one member stand together, so comparing with the last one is enough.
		if _, selected := slices.BinarySearch(among, n); selected && n != last {
			dst = append(dst, n)
		}
		last = n
	}
	return dst, nil
}

func (g *Group) badShape(row int) error {
	return g.damaged(shapeColumn, "malformed shape of record %d", row)
}
