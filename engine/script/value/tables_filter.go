package value

import (
	"strings"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/layout/columns"
)

// nameFilter decides which members addEach takes; nil takes all.
type nameFilter struct {
	takes func(name string) bool

	// A filter that always decides the same knows which members of a row group it takes,
	// by the node of the object. A row group has the names of many records.
	constant bool
	group    *columns.Group
	chosen   map[int32][]int32
}

// has says whether the filter takes a name.
func (f *nameFilter) has(name string) bool { return f == nil || f.takes(name) }

// among returns those members of an object in columns that the filter may take.
func (f *nameFilter) among(group *columns.Group, node int32) []int32 {
	children := group.Children(node)
	if f == nil || !f.constant {
		return children
	}

	if f.group != group {
		f.group = group
		f.chosen = map[int32][]int32{}
	}
	chosen, known := f.chosen[node]
	if !known {
		for _, child := range children {
			if f.takes(group.Name(child)) {
				chosen = append(chosen, child)
			}
		}
		f.chosen[node] = chosen
	}
	return chosen
}

// filterOf returns the filter that a script has given.
func (r *Runtime) filterOf(given goja.Value) *nameFilter {
	object, ok := given.(*goja.Object)
	if !ok {
		if goja.IsUndefined(given) {
			return nil
		}
		r.ThrowType("addEach: the filter must be a regular expression, an array of names or a function, not %s", given)
	}

	switch object.ClassName() {
	case "Function":
		call, _ := goja.AssertFunction(object)
		return &nameFilter{takes: func(name string) bool {
			returned, err := call(goja.Undefined(), r.rt.ToValue(name))
			if err != nil {
				panic(err)
			}
			return returned.ToBoolean()
		}}
	case "Array":
		return r.listFilter(object)
	}
	if !isExpression(object) {
		r.ThrowType("addEach: the filter must be a regular expression, an array of names or a function")
	}
	return r.expressionFilter(object)
}

// listFilter is an array of names as a filter, with the array's elements.
type listFilter struct {
	elements []goja.Value
	nameFilter
}

// listFilter returns the filter of an array. Scripts mostly give the same names for every
// record, in the same array or a new one; comparing them costs less than a new filter.
func (r *Runtime) listFilter(array *goja.Object) *nameFilter {
	last := r.tables.list
	if last != nil && last.madeOf(array) {
		return &last.nameFilter
	}

	var names []string
	if err := r.rt.ExportTo(array, &names); err != nil {
		r.ThrowType("addEach: the names to take: %s", err)
	}
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}

	made := &listFilter{nameFilter: nameFilter{takes: func(name string) bool { return set[name] }, constant: true}}
	for i := range names {
		made.elements = append(made.elements, at(array, i))
	}
	r.tables.list = made
	return &made.nameFilter
}

// madeOf says whether an array has the elements that the filter was made of, all of them
// strings: any other element may become another name each time.
func (f *listFilter) madeOf(array *goja.Object) bool {
	if int(array.Get("length").ToInteger()) != len(f.elements) {
		return false
	}
	for i, element := range f.elements {
		if found := at(array, i); !goja.IsString(found) || !found.StrictEquals(element) {
			return false
		}
	}
	return true
}

// expressionFilter returns the filter of a regular expression. What it decides is cached
// by its text.
func (r *Runtime) expressionFilter(expression *goja.Object) *nameFilter {
	text := expression.String()
	if filter := r.tables.filters[text]; filter != nil {
		return filter
	}
	if r.tables.filters == nil || len(r.tables.filters) > maxInterns {
		r.tables.filters = map[string]*nameFilter{}
	}

	test, _ := goja.AssertFunction(expression.Get("test"))
	decided := map[string]bool{}
	filter := &nameFilter{constant: strings.HasPrefix(text, "/")}
	filter.takes = func(name string) bool {
		takes, ok := decided[name]
		if !ok {
			// A global or sticky expression would go on where it ended the last time.
			expression.Set("lastIndex", 0)
			returned, err := test(expression, r.rt.ToValue(name))
			if err != nil {
				panic(err)
			}
			takes = returned.ToBoolean()
			if len(decided) < maxMembers {
				decided[name] = takes
			}
		}
		return takes
	}
	r.tables.filters[text] = filter
	return filter
}
