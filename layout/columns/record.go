package columns

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// Odd returns the whole line of a record that is not in columns, nil for any other.
func (g *Group) Odd(row int) ([]byte, error) {
	if g.info.odd == 0 {
		return nil, nil
	}
	c, err := g.column(oddColumn)
	if err != nil {
		return nil, err
	}
	return c.text(row), nil
}

// ID returns the document ID of a record; of an odd one, what stands before its tab.
func (g *Group) ID(row int) ([]byte, error) {
	// An odd record is stored as its whole line.
	odd, err := g.Odd(row)
	if err != nil {
		return nil, err
	}
	if odd != nil {
		id, _, _ := bytes.Cut(odd, []byte("\t"))
		return id, nil
	}

	// All others have their ID in a column.
	c, err := g.column(idColumn)
	if err != nil {
		return nil, err
	}
	return c.text(row), nil
}

// Received returns when a record was received, as segment.IDs has it.
func (g *Group) Received(row int) (uint32, error) {
	c, err := g.column(receivedColumn)
	if err != nil {
		return 0, err
	}
	return c.times[row], nil
}

// AppendLine appends a record's line as it was added, without a newline.
func (g *Group) AppendLine(dst []byte, row int) ([]byte, error) {
	odd, err := g.Odd(row)
	if err != nil || odd != nil {
		return append(dst, odd...), err
	}
	id, err := g.ID(row)
	if err != nil {
		return dst, err
	}
	return g.AppendObject(append(append(dst, id...), '\t'), row, 0)
}

// Kind is what a record has at a node.
type Kind int

// The kinds of what a record has at a node.
const (
	Absent Kind = iota
	Text        // a value that is no object, or an object that is not parted: see Text
	Object      // an object whose members are nodes: see Members
)

// Child returns the node of a member by its name, as written in the records; -1 if no
// record of the group has it. Node 0 is the record.
func (g *Group) Child(node int32, name string) int32 { return g.info.tree.child(node, name) }

// Name is a node's name, as written in the records: without escapes.
func (g *Group) Name(node int32) string { return g.info.tree.nodes[node].name }

// Kind says what a record, which is not odd, has at a node, and returns the text.
func (g *Group) Kind(row int, node int32) (Kind, []byte, error) {
	n := &g.info.tree.nodes[node]

	// A node that is an object in all records needs no column.
	inColumns := g.info.Rows - g.info.odd
	if int(n.objects) == inColumns {
		return Object, nil, nil
	}

	// With a column of its own, the text is there or the record has no text.
	if n.column >= 0 {
		c, err := g.column(int(n.column))
		if err != nil {
			return Absent, nil, err
		}

		if text := c.text(row); text != nil {
			return Text, text, nil
		}

		if n.objects == 0 {
			return Absent, nil, nil
		}
	}

	// Without one, the text is among those of rare paths. The shape says whether the record has
	// it, so that the rare paths of other records are not parsed.
	if n.column == restColumn {
		if err := g.readShape(row); err != nil {
			return Absent, nil, err
		}
		if g.hasLeaves(n.leaf, n.leaf+1) {
			text, err := g.restText(row, node)
			if err == nil && text == nil {
				err = g.badShape(row)
			}
			return Text, text, err
		}
		if n.objects == 0 {
			return Absent, nil, nil
		}
	}

	// What is left is an object or absent; the shape says which.
	if err := g.readShape(row); err != nil {
		return Absent, nil, err
	}
	if g.hasLeaves(n.firstLeaf, n.endLeaf) {
		return Object, nil, nil
	}
	return Absent, nil, nil
}

// restText returns the text of a node whose column is that of rare paths, or nil.
func (g *Group) restText(row int, node int32) ([]byte, error) {
	if g.info.rare == 0 {
		return nil, nil
	}

	// Several rare members of a record are read one after the other: parse its text once.
	if g.restRow != row {
		c, err := g.column(rareColumn)
		if err != nil {
			return nil, err
		}
		g.restRow = row
		g.rest = nil

		if text := c.text(row); text != nil {
			g.rest = map[int32][]byte{}
			if !g.parseRest(text, 0, 0) {
				g.restRow = -1
				return nil, g.damaged(rareColumn, "malformed rare paths of record %d", row)
			}
		}
	}
	return g.rest[node], nil
}

// parseRest finds the rare members of the object at text[at], which is of a node.
func (g *Group) parseRest(text []byte, at int, node int32) bool {
	it := jsonscan.MembersTrusted(text, at)
	for it.Next() {
		child := g.info.tree.child(node, string(it.Key))
		if child < 0 {
			return false
		}

		// An object of a name with an escape was not parted: other records have members there.
		value := it.Value()
		n := &g.info.tree.nodes[child]
		if value[0] == '{' && len(n.children) > 0 && !emptyObject(value, 0) && !hasEscapedName(value) {
			if !g.parseRest(text, it.Start, child) {
				return false
			}
			continue
		}
		g.rest[child] = value
	}
	return it.Err() == nil
}

// hasEscapedName says whether a member of an object, not of one in it, has a name that
// is written with an escape.
func hasEscapedName(object []byte) bool {
	if bytes.IndexByte(object, '\\') < 0 {
		return false
	}
	it := jsonscan.MembersTrusted(object, 0)
	for it.Next() {
		if bytes.IndexByte(it.Key, '\\') >= 0 {
			return true
		}
	}
	return false
}

// AppendObject appends the text of a record's object at a node, as it was.
func (g *Group) AppendObject(dst []byte, row int, node int32) ([]byte, error) {
	// A job that reads the text of every record has many of them put together at once.
	if node == 0 {
		if made, ok := g.appendAhead(dst, row); ok {
			return made, nil
		}
	}

	leaves, err := g.leaves(row)
	if err != nil {
		return dst, err
	}

	// The leaves inside the node stand together: find where they begin and end.
	t := &g.info.tree
	inside := func(leaf int32) bool { return leaf >= t.nodes[node].firstLeaf && leaf < t.nodes[node].endLeaf }
	if node != 0 {
		lo := 0
		for lo < len(leaves) && !inside(leaves[lo]) {
			lo++
		}

		hi := lo
		for hi < len(leaves) && inside(leaves[hi]) {
			hi++
		}
		leaves = leaves[lo:hi]
	}

	// Put the texts together in the order and style of the record.
	var failed error
	dst = t.appendBelow(dst, node, leaves, g.shape.style, func(leaf int32) []byte {
		// Most texts are in a column that was read for the record before.
		if number := t.nodes[t.leaves[leaf]].column; number >= 0 && g.loaded[number] != nil {
			if text := g.loaded[number].text(row); text != nil {
				return text
			}
		}

		text, err := g.leafText(row, t.leaves[leaf])
		if err == nil && text == nil {
			err = g.badShape(row)
		}
		if err != nil && failed == nil {
			failed = err
		}
		return text
	})
	return dst, failed
}

// leafText returns the text of a node that the record has.
func (g *Group) leafText(row int, node int32) ([]byte, error) {
	number := g.info.tree.nodes[node].column
	if number < 0 {
		return g.restText(row, node)
	}
	c, err := g.column(int(number))
	if err != nil {
		return nil, err
	}
	return c.text(row), nil
}

// Verify reads all columns of the group, those that no record needs too, and compares
// the dimensions with those of the index.
func (g *Group) Verify() error {
	for number := range g.info.chunks {
		if _, err := g.column(number); err != nil {
			return err
		}
	}

	// The index and the columns must say the same of each row.
	row := 0
	for _, part := range g.info.Parts {
		for range part.Rows {
			for dim, want := range part.Dims {
				if got := g.loaded[dim].text(row); string(got) != want {
					return g.damaged(dim, "record %d has the %s %q, the index says %q", row, g.names[dim], got, want)
				}
			}
			row++
		}
	}
	return nil
}
