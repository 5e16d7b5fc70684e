package columns

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// row is a record of the group that is being filled.
type row struct {
	line    int // where it begins in group.text
	tab     int // where its ID ends, or -1: the line has none
	end     int
	msOfDay uint32
}

// Part is some records in a row that have the same dimensions.
type Part struct {
	Dims schema.Dims
	Rows int
}

// span is the text of a member in group.text.
type span struct {
	row        int32
	start, end int32
}

// group is a row group in the making.
type group struct {
	text  []byte // the lines, without newlines
	rows  []row
	parts []Part

	// Made by shape, when the group is full:
	tree   tree
	spans  [][]span // by leaf
	odd    []bool   // by row: the line is in the column of odd records
	shapes [][]byte // by row
	rest   [][]byte // by row; nil: no rare paths
	styles []style
}

// add appends a record.
func (g *group) add(dims schema.Dims, line []byte, msOfDay uint32) {
	// Note where the line, its tab and its end lie in the text of the group.
	added := row{line: len(g.text), tab: bytes.IndexByte(line, '\t'), msOfDay: msOfDay}
	if added.tab >= 0 {
		added.tab += len(g.text)
	}
	// A group that has a sixteenth of its size will become a full one: grow its text once.
	if len(g.text) >= maxGroupBytes/16 && cap(g.text)-len(g.text) < len(line) {
		g.text = slices.Grow(g.text, max(len(line), maxGroupBytes-len(g.text)))
	}

	g.text = append(g.text, line...)
	added.end = len(g.text)
	g.rows = append(g.rows, added)

	// Records with the same dimensions mostly follow each other and are one part.
	if last := len(g.parts) - 1; last >= 0 && g.parts[last].Dims == dims {
		g.parts[last].Rows++
		return
	}
	g.parts = append(g.parts, Part{Dims: dims, Rows: 1})
}

// reset empties the group, which keeps its memory.
func (g *group) reset() {
	*g = group{text: g.text[:0], rows: g.rows[:0], parts: g.parts[:0], shapes: g.shapes[:0], odd: g.odd[:0], rest: g.rest[:0]}
}

// json returns the JSON text of a record, and where it lies in the group's text.
func (g *group) json(r row) ([]byte, int) { return g.text[r.tab+1 : r.end], r.tab + 1 }

// shape decides which paths become columns, of which columns says how many more the
// file may have, and brings every record into their form or finds it odd. known says
// whether the file has a column already.
func (g *group) shape(known func(name string) bool, columns int) {
	// Collect the members of all records first, then decide what becomes of each.
	root := &member{}
	var parts []part
	ends := make([]int, len(g.rows)) // of the parts of each record
	g.odd = append(g.odd, make([]bool, len(g.rows))...)

	for i, r := range g.rows {
		var ok bool
		parts, ok = g.split(root, parts, r)
		g.odd[i] = !ok
		ends[i] = len(parts)
	}
	g.decide(root, known, columns)

	// Then bring each record into that form; one that is not restored exactly is odd.
	g.spans = make([][]span, len(g.tree.leaves))
	g.shapes = append(g.shapes, make([][]byte, len(g.rows))...)
	g.rest = append(g.rest, make([][]byte, len(g.rows))...)
	at := 0

	shaper := shaper{g: g, styles: map[style]int{}, seen: make([]int32, len(g.tree.nodes))}
	for i := range g.rows {
		if !g.odd[i] {
			g.odd[i] = !shaper.shape(i, parts[at:ends[i]])
		}
		at = ends[i]
	}
}

// split appends the parts of a record. ok is false for one that is odd.
func (g *group) split(root *member, parts []part, r row) (_ []part, ok bool) {
	// Names and texts of columns are UTF-8, and IDs are a text in every line.
	if r.tab <= r.line || !utf8.Valid(g.text[r.line:r.end]) {
		return parts, false
	}
	json, _ := g.json(r)

	if len(json) == 0 || json[0] != '{' || emptyObject(json, 0) || jsonscan.Valid(json) != nil {
		return parts, false
	}

	// Undo what a record added before it turned out odd.
	before := len(parts)
	parts, end, ok := root.split(parts, json, 0)
	if !ok || end != len(json) {
		return parts[:before], false
	}
	return parts, true
}

// decide makes the nodes of the group: the order of the members, and which of them
// have a column of their own, or are parts of the text of an object.
func (g *group) decide(root *member, known func(name string) bool, columns int) {
	g.tree.nodes = append(g.tree.nodes[:0], node{parent: -1, column: noColumn})

	g.decideMembers(root, len(g.rows), 0)
	g.tree.link()

	// Paths that are frequent and fit the limit get columns; the others go to the column of rare paths.
	for i := range g.tree.nodes {
		n := &g.tree.nodes[i]
		if n.column == noColumn {
			continue
		}
		frequent := n.records >= leastRows && int(n.records)*rareRows >= len(g.rows)

		name := g.tree.columnName(int32(i))
		switch {
		case frequent && known(name):
			n.column = 0
		case frequent && columns > 0:
			n.column = 0
			columns--
		default:
			n.column = restColumn
		}

		n.records = 0
	}
}

// decideMembers adds the nodes of the members of one that has objects in so many rows.
func (g *group) decideMembers(m *member, rows int, number int32) {
	// An object with many names, each of them rare, is a map with free keys: it stays whole.
	total := 0
	for _, child := range m.list {
		total += child.texts + child.objects
	}

	if m.parent != nil && len(m.list) > crowdedMembers && total*sparseRows < rows*len(m.list) {
		m.whole = true
	}

	if m.whole && m.parent != nil {
		g.tree.nodes[number].column = restColumn
		g.tree.nodes[number].records += int32(m.objects)
		return
	}

	// All other members become nodes, in the order of the records.
	for _, child := range m.ordered() {
		child.node = int32(len(g.tree.nodes))
		made := node{name: child.name, parent: number, column: noColumn, records: int32(child.texts)}
		if child.texts > 0 {
			made.column = restColumn
		}

		g.tree.nodes = append(g.tree.nodes, made)
		if child.objects > 0 {
			g.decideMembers(child, child.objects, child.node)
		}
	}
}

// shaper brings records into the form of the group's tree.
type shaper struct {
	g      *group
	styles map[style]int

	leaves []int32 // of the record, in its order
	at     []part  // of the leaves
	seen   []int32 // by node: 1 + the last record that has it
	got    []byte
	rare   []int32
}

// shape adds a record to the columns. ok is false for one that would not come back
// byte for byte.
func (s *shaper) shape(number int, parts []part) (ok bool) {
	g := s.g
	json, offset := g.json(g.rows[number])

	// Collect the leaves of the record; members inside an object that stays whole are no leaves.
	s.leaves, s.at = s.leaves[:0], s.at[:0]
	for i := 0; i < len(parts); i++ {
		p := parts[i]

		// Of a name that comes twice in an object, no column could say which one counts.
		if s.seen[p.of.node] == int32(number)+1 {
			return false
		}

		s.seen[p.of.node] = int32(number) + 1
		if p.inside > 0 && !p.of.whole {
			continue
		}

		leaf := g.tree.nodes[p.of.node].leaf
		if leaf < 0 {
			return false
		}

		s.leaves = append(s.leaves, leaf)
		s.at = append(s.at, p)
		i += int(p.inside)
	}

	// Put the leaves together again: the result must be the same bytes, or the record is odd.
	used := styleOf(json)
	next := 0

	text := func(int32) []byte {
		p := s.at[next]
		next++
		return json[p.start:p.end]
	}

	s.got = g.tree.append(s.got[:0], s.leaves, used, text)
	if !bytes.Equal(s.got, json) {
		return false
	}

	// The record has this form: count it, and note where its values lie.
	s.count(parts)
	g.shapes[number] = s.encode(used)

	s.rare = s.rare[:0]
	for i, leaf := range s.leaves {
		if g.tree.nodes[g.tree.leaves[leaf]].column == restColumn {
			s.rare = append(s.rare, int32(i))
			continue
		}

		p := s.at[i]
		g.spans[leaf] = append(g.spans[leaf], span{int32(number), int32(offset) + p.start, int32(offset) + p.end})
	}

	// The rare values become one text.
	if len(s.rare) > 0 {
		g.rest[number] = s.restOf(json)
	}
	return true
}

// count counts in which records the paths are.
func (s *shaper) count(parts []part) {
	nodes := s.g.tree.nodes
	nodes[0].records++
	nodes[0].objects++
	for i := 0; i < len(parts); i++ {
		p := parts[i]

		n := &nodes[p.of.node]
		n.records++
		if p.inside > 0 && !p.of.whole {
			// An object that became its members is counted, and so are they.
			n.objects++
			continue
		}

		// The members inside a whole object are part of its text.
		i += int(p.inside)
	}
}

// restOf returns an object of the record's rare members.
func (s *shaper) restOf(json []byte) []byte {
	leaves := make([]int32, len(s.rare))
	for i, at := range s.rare {
		leaves[i] = s.leaves[at]
	}
	next := 0
	return s.g.tree.append(nil, leaves, style{}, func(int32) []byte {
		p := s.at[s.rare[next]]
		next++
		return json[p.start:p.end]
	})
}

// encode returns the shape of the record, see FORMAT.md.
func (s *shaper) encode(used style) []byte {
	// Records mostly share a few styles, so the shape has the style's number.
	number, known := s.styles[used]
	if !known {
		number = len(s.g.styles)
		s.styles[used] = number
		s.g.styles = append(s.g.styles, used)
	}

	// In the order of the tree, a bit for each leaf is shorter than a list of numbers.
	inOrder := true
	for i := 1; i < len(s.leaves); i++ {
		inOrder = inOrder && s.leaves[i-1] < s.leaves[i]
	}
	if inOrder {
		shape := binary.AppendUvarint(nil, uint64(number)<<1)
		at := len(shape)
		shape = append(shape, make([]byte, (len(s.g.tree.leaves)+7)/8)...)
		for _, leaf := range s.leaves {
			shape[at+int(leaf/8)] |= 1 << (leaf % 8)
		}
		return shape
	}

	// Another order needs the list.
	shape := binary.AppendUvarint(nil, uint64(number)<<1|1)
	for _, leaf := range s.leaves {
		shape = binary.AppendUvarint(shape, uint64(leaf))
	}
	return shape
}

// styleOf returns the whitespace of a record's first colon and comma.
func styleOf(json []byte) style {
	// The first colon stands for all: a record that spaces others differently is odd.
	var used style
	it := jsonscan.MembersTrusted(json, 0)
	if !it.Next() {
		return used
	}

	colon := it.Start
	for colon > 0 && json[colon-1] != ':' {
		colon--
	}
	used.colon = string(json[colon:it.Start])

	// An object with one member has no comma; any whitespace restores it.
	comma := it.End()
	if comma < len(json) && json[comma] == ',' {
		used.comma = string(json[comma+1 : jsonscan.Space(json, comma+1)])
	}
	return used
}
