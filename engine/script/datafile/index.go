package datafile

import (
	"fmt"
	"strings"
	"sync"
)

// indexes are those that scripts have made of the arrays of a file.
type indexes struct {
	mu   sync.Mutex // protects made
	made map[indexKey]*Node
}

// indexKey is an array, and the columns with a zero byte between them.
type indexKey struct {
	array   *Node
	columns string
}

// Index returns an object of the elements of an array, which must be objects, by the
// value of a member; with several columns, objects inside of objects. It is made once.
// An element without the member, or with the same values as another one, is an error.
func (n *Node) Index(columns []string) (*Node, error) {
	all := &n.File.indexes
	all.mu.Lock()
	defer all.mu.Unlock()

	key := indexKey{n, strings.Join(columns, "\x00")}
	if made, ok := all.made[key]; ok {
		return made, nil
	}

	// All elements, in their order.
	positions := make([]int, len(n.Items))
	for i := range positions {
		positions[i] = i
	}
	made, err := n.indexOf(positions, columns, "")
	if err != nil {
		return nil, err
	}

	if all.made == nil {
		all.made = map[indexKey]*Node{}
	}
	all.made[key] = made
	return made, nil
}

// indexOf indexes the elements at positions. path says in messages which values the
// columns before had.
func (n *Node) indexOf(positions []int, columns []string, path string) (*Node, error) {
	column := columns[0]
	if len(columns) == 1 {
		return n.lastIndexOf(positions, column, path)
	}

	// The elements with one value of this column are indexed by the next one.
	var names []string
	groups := map[string][]int{}
	for _, position := range positions {
		name, err := n.keyOf(position, column)
		if err != nil {
			return nil, err
		}
		if groups[name] == nil {
			names = append(names, name)
		}
		groups[name] = append(groups[name], position)
	}

	items := make([]Item, len(names))
	for i, name := range names {
		inner, err := n.indexOf(groups[name], columns[1:], fmt.Sprintf("%s%s %s, ", path, column, name))
		if err != nil {
			return nil, err
		}
		items[i] = Item{Node: inner}
	}
	return &Node{File: n.File, Shape: newShape(names), Items: items}, nil
}

// lastIndexOf indexes the elements at positions by a column of which each has another
// value.
func (n *Node) lastIndexOf(positions []int, column, path string) (*Node, error) {
	made := &Node{File: n.File, Shape: &Shape{at: make(map[string]int, len(positions))}, Items: make([]Item, 0, len(positions))}
	for i, position := range positions {
		name, err := n.keyOf(position, column)
		if err != nil {
			return nil, err
		}
		if earlier, ok := made.Shape.at[name]; ok {
			return nil, fmt.Errorf("elements %d and %d of %s both have %s%s %s: name another column too, or leave one of them out",
				positions[earlier], position, n.File.Name, path, column, name)
		}

		made.Shape.at[name] = i
		made.Shape.Names = append(made.Shape.Names, name)
		made.Items = append(made.Items, n.Items[position])
	}
	return made, nil
}

// keyOf returns the value of a column as a name.
func (n *Node) keyOf(position int, column string) (string, error) {
	element := n.Items[position].Node
	if element == nil || element.Shape == nil {
		return "", fmt.Errorf("element %d of %s is no object", position, n.File.Name)
	}

	member, ok := element.Member(column)
	switch {
	case !ok:
		return "", fmt.Errorf("element %d of %s has no %q: it has %s", position, n.File.Name, column, strings.Join(element.Shape.Names, ", "))
	case member.Scalar == nil:
		return "", fmt.Errorf("%q of element %d of %s is no string or number", column, position, n.File.Name)
	}
	return member.Scalar.String(), nil
}
