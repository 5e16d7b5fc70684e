package datafile

import (
	"fmt"
	"strings"
	"sync"
)

// indexes are those that scripts have made of an array, by the columns.
type indexes struct {
	mu   sync.Mutex // protects made
	made map[string]*Node
}

// Index returns an object of the elements of an array, which must be objects, by the
// value of a member; with several columns, objects inside of objects. It is made once.
// An element without the member, or with the same values as another one, is an error.
func (n *Node) Index(columns []string) (*Node, error) {
	n.indexes.mu.Lock()
	defer n.indexes.mu.Unlock()

	key := strings.Join(columns, "\x00")
	if made, ok := n.indexes.made[key]; ok {
		return made, nil
	}

	positions := make([]int, len(n.Items))
	for i := range positions {
		positions[i] = i
	}
	made, err := n.indexOf(positions, columns, "")
	if err != nil {
		return nil, err
	}

	if n.indexes.made == nil {
		n.indexes.made = map[string]*Node{}
	}
	n.indexes.made[key] = made
	return made, nil
}

// indexOf indexes the elements at positions. path says in messages which values the
// columns before had.
func (n *Node) indexOf(positions []int, columns []string, path string) (*Node, error) {
	column := columns[0]
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
		group := groups[name]
		path := fmt.Sprintf("%s%s %s", path, column, name)

		if len(columns) > 1 {
			inner, err := n.indexOf(group, columns[1:], path+", ")
			if err != nil {
				return nil, err
			}
			items[i] = Item{Node: inner}
			continue
		}
		if len(group) > 1 {
			return nil, fmt.Errorf("elements %d and %d of %s both have %s: name another column too, or leave one of them out", group[0], group[1], n.File.Name, path)
		}
		items[i] = n.Items[group[0]]
	}

	return &Node{File: n.File, Shape: newShape(names), Items: items}, nil
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
