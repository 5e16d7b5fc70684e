package columns

import (
	"strings"
)

// noColumn and restColumn stand in node.column for a path without a column: no record
// has a text there, or its texts are in the column of rare paths.
const (
	noColumn   = -1
	restColumn = -2
)

// node is a path of the records of a row group. Node 0 is the record itself. The nodes
// are in the order of the members in most records, each before its own members.
type node struct {
	name    string // as written in the records, between the quotes
	parent  int32
	depth   int32
	column  int32 // in the file, or noColumn, or restColumn
	records int32 // of the row group that have it
	objects int32 // of these, records in which it is an object with members

	label string // the name as it stands before a text: in quotes, with the colon
	leaf  int32  // its number among the nodes with texts, or -1
	// The leaves from the first one to before the end are the node itself, if it is one,
	// and those inside it.
	firstLeaf, endLeaf int32
	children           []int32
	byName             map[string]int32 // of children; nil if there are few
}

// tree is the nodes of a row group.
type tree struct {
	nodes  []node
	leaves []int32 // the nodes with texts
}

// manyChildren is from how many on a map finds a child by its name.
const manyChildren = 8

// link fills in what follows from the parents and columns of the nodes.
func (t *tree) link() {
	t.leaves = t.leaves[:0]

	for i := range t.nodes {
		n := &t.nodes[i]
		n.label = `"` + n.name + `":`

		// Nodes with a column, and those in the column of rare paths, are the leaves.
		n.leaf = -1
		n.firstLeaf = int32(len(t.leaves))
		if n.column != noColumn {
			n.leaf = int32(len(t.leaves))
			t.leaves = append(t.leaves, int32(i))
		}
		n.endLeaf = int32(len(t.leaves))
		if i == 0 {
			continue
		}

		// A parent comes before its children, so its depth is known.
		parent := &t.nodes[n.parent]
		n.depth = parent.depth + 1
		parent.children = append(parent.children, int32(i))
	}

	// Members come behind their object, so the last ones come first here.
	for i := len(t.nodes) - 1; i > 0; i-- {
		parent := &t.nodes[t.nodes[i].parent]
		parent.endLeaf = max(parent.endLeaf, t.nodes[i].endLeaf)
	}

	// Objects with many children get an index by name.
	for i := range t.nodes {
		n := &t.nodes[i]
		if len(n.children) < manyChildren {
			continue
		}

		n.byName = make(map[string]int32, len(n.children))
		for _, child := range n.children {
			n.byName[t.nodes[child].name] = child
		}
	}
}

// child returns the member of a node by its name, or -1.
func (t *tree) child(of int32, name string) int32 {
	// With many children there is an index, otherwise comparing is faster.
	n := &t.nodes[of]
	if n.byName != nil {
		if child, ok := n.byName[name]; ok {
			return child
		}
		return -1
	}

	for _, child := range n.children {
		if t.nodes[child].name == name {
			return child
		}
	}
	return -1
}

// escapeName makes a name a part of a column's name: "." parts names, "\" escapes, and
// columns that are no members begin with "_".
var escapeName = strings.NewReplacer(`\`, `\\`, `.`, `\.`)

// columnName is the name of the column of a path.
func (t *tree) columnName(of int32) string {
	// Collect the names from the leaf up to the record.
	var names []string
	for n := of; n > 0; n = t.nodes[n].parent {
		names = append(names, escapeName.Replace(t.nodes[n].name))
	}

	// A column's name begins at the record, so turn them round.
	for i, k := 0, len(names)-1; i < k; i, k = i+1, k-1 {
		names[i], names[k] = names[k], names[i]
	}

	// Escape an empty name, and one that begins like those of the fixed columns.
	name := strings.Join(names, ".")
	if name == "" || name[0] == '_' {
		return `\` + name
	}
	return name
}

// style is the whitespace of a record: after each colon and after each comma that
// belongs to an object of more than a text.
type style struct{ colon, comma string }

// append writes the object that the leaves, in the order of the record, are members
// of. It is inverse to member.split for a record of that style.
func (t *tree) append(dst []byte, leaves []int32, s style, text func(leaf int32) []byte) []byte {
	return t.appendBelow(dst, 0, leaves, s, text)
}

// appendBelow is append for one object of the record: the leaves are those below it.
func (t *tree) appendBelow(dst []byte, top int32, leaves []int32, s style, text func(leaf int32) []byte) []byte {
	last := top
	for _, leaf := range leaves {
		dst = t.appendBetween(dst, top, last, t.leaves[leaf], s)
		dst = append(dst, text(leaf)...)
		last = t.leaves[leaf]
	}
	return t.appendEnd(dst, top, last)
}

// appendBetween appends what stands between the texts of two nodes that follow each other
// in the object top; last is top itself where the node is the first one.
func (t *tree) appendBetween(dst []byte, top, last, node int32, s style) []byte {
	inside := t.nodes[last].parent
	if last == top {
		inside = top
		dst = append(dst, '{')
	}

	// Close the objects that only the last member lies in.
	common := t.nodes[node].parent
	for inside != common {
		if t.nodes[inside].depth >= t.nodes[common].depth {
			inside = t.nodes[inside].parent
			dst = append(dst, '}')
		} else {
			common = t.nodes[common].parent
		}
	}

	// Then open those that only the next one lies in, the outer ones first.
	if last != top {
		dst = append(append(dst, ','), s.comma...)
	}
	for outer := t.nodes[common].depth + 1; outer < t.nodes[node].depth; outer++ {
		opened := node
		for t.nodes[opened].depth > outer {
			opened = t.nodes[opened].parent
		}
		dst = append(t.appendName(dst, opened, s), '{')
	}
	return t.appendName(dst, node, s)
}

// appendEnd closes the object top, and those in it that are open behind its last text.
func (t *tree) appendEnd(dst []byte, top, last int32) []byte {
	if last == top {
		return append(dst, '{', '}')
	}
	for open := t.nodes[last].depth; open > t.nodes[top].depth; open-- {
		dst = append(dst, '}')
	}
	return dst
}

func (t *tree) appendName(dst []byte, of int32, s style) []byte {
	dst = append(dst, t.nodes[of].label...)
	return append(dst, s.colon...)
}
