package value

import (
	"fmt"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/engine/tables"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/revisions"
)

// memberInfo is what a table knows of a member's name.
type memberInfo struct {
	name    string
	datum   []byte
	seen    uint64 // the call of addEach that has met it last
	spec    *revisions.Spec
	length  int    // numbers of the histogram of that name that behind is of
	buckets int    // of these
	behind  []byte // what follows the key columns in the key of such a histogram

	next   *memberInfo   // that came behind it the last time
	groups []memberGroup // by the number of the key before the name
}

// memberGroup is where a histogram of that name goes in a task.
type memberGroup struct {
	round           uint64 // of the table, in which it holds
	spec            *revisions.Spec
	group           int32
	buckets, length int
}

// maxPrefixes bounds the keys before names for which members keep their groups.
const maxPrefixes = 64

// enterPrefix notes which key the members that follow are added to.
func (t *scriptTable) enterPrefix(key []byte) {
	task := t.r.tables.task
	if t.taskRound != task.Round() || len(t.prefixes) == maxPrefixes || t.prefixes == nil {
		t.taskRound = task.Round()
		t.round++
		t.prefixes = map[string]int{}
		t.prefixText = t.prefixText[:0]
	}

	// It is often that of the record before.
	t.enterText = append(append(append(t.enterText[:0], key...), 0), t.suffix...)
	if len(t.prefixText) > 0 && string(t.enterText) == string(t.prefixText) {
		return
	}
	t.prefixText = append(t.prefixText[:0], t.enterText...)

	number, ok := t.prefixes[string(t.enterText)]
	if !ok {
		number = len(t.prefixes)
		t.prefixes[string(t.enterText)] = number
	}
	t.prefix = number
}

// groupOf returns where a member's histogram goes; its round says whether that is known.
func (t *scriptTable) groupOf(info *memberInfo) *memberGroup {
	for t.prefix >= len(info.groups) {
		info.groups = append(info.groups, memberGroup{})
	}
	return &info.groups[t.prefix]
}

// maxMembers bounds the names that a table keeps.
const maxMembers = 20_000

// member returns what the table knows of a name.
func (t *scriptTable) member(name []byte) *memberInfo {
	// Records have the same members in the same order.
	last := t.last
	if last != nil && last.next != nil && last.next.name == string(name) {
		t.last = last.next
		return last.next
	}

	info := t.findMember(name)
	if last != nil {
		last.next = info
	}
	t.last = info
	return info
}

// findMember is member without knowing which comes next.
func (t *scriptTable) findMember(name []byte) *memberInfo {
	if info, ok := t.members[string(name)]; ok {
		return info
	}
	if len(t.members) >= maxMembers {
		clear(t.members)
		t.last = nil
	}
	info := &memberInfo{name: string(name), datum: datum.AppendString(nil, name)}
	t.members[info.name] = info
	return info
}

// addEach is table.addEach(key…, object, filter?): it adds every member of the object,
// whose name is the last key column, or that of the option each; or, if one column more is
// missing, every member of the objects in it, whose names are the last two. The filter decides about the names in the
// object itself.
func (t *scriptTable) addEach(call goja.FunctionCall) {
	columns := len(t.table.Keys)
	if columns == 0 || t.table.Takes() == tables.RowCells {
		t.r.ThrowType("%s has no key column for the names of members", t.name())
	}

	// The object is where the name's column would be, or one before that.
	arguments := call.Arguments
	position := columns - 1
	if !t.each && !t.table.Written && len(arguments) == position || len(arguments) == columns && position > 0 && isFilter(arguments[position]) {
		position--
	}
	if position < 0 || len(arguments) <= position || len(arguments) > position+2 {
		t.r.ThrowType("%s.addEach takes %s, not %d arguments", t.name(), t.eachSignature(), len(arguments))
	}
	var takes *nameFilter
	if len(arguments) == position+2 {
		takes = t.r.filterOf(arguments[position+1])
	}

	// The name may have columns behind it.
	name := position
	t.suffix = t.suffix[:0]
	if t.each {
		name = t.table.Each
		t.suffix = t.appendColumns(t.endGroup(t.suffix, name), arguments[name:position], name+1)
	}
	// What a filter adds would go into the keys that are made here.
	t.inEach = true
	defer func() { t.inEach = false }()

	key := t.keyOf(arguments[:name])
	t.enterPrefix(key)
	t.addMembers(key, arguments[position], columns-position, nil, takes)
}

// eachSignature names what addEach takes.
func (t *scriptTable) eachSignature() string {
	text := ""
	for _, name := range t.table.Keys[:len(t.table.Keys)-1] {
		text += name + ", "
	}
	return text + "an object and, if some of its members are to be added only, a filter"
}

// isFilter reports whether a value can only be a filter.
func isFilter(v goja.Value) bool {
	object, ok := v.(*goja.Object)
	if !ok {
		return false
	}
	class := object.ClassName()
	return class == "Function" || class == "Array" || isExpression(object)
}

// isExpression reports whether an object is a regular expression, of whichever class that
// is: what counts is that it can test a name.
func isExpression(object *goja.Object) bool {
	_, ok := goja.AssertFunction(object.Get("test"))
	return ok
}

// addMembers adds the members of an object, levels deep. named is the member of the first
// level that a second one is in.
func (t *scriptTable) addMembers(key []byte, object goja.Value, levels int, named *memberInfo, takes *nameFilter) {
	if goja.IsUndefined(object) || goja.IsNull(object) {
		t.r.tables.task.Skip(t.number)
		return
	}
	members, ok := object.(*goja.Object)
	if !ok || isFilter(object) {
		t.r.ThrowType("%s.addEach: %s is no object", t.name(), clip(datum.AppendMessage(nil, t.r.EncodeValue(object))))
	}

	// What no script has changed is read as text.
	if lazy := objectOf(members); lazy != nil && lazy.untouched() {
		lazy.alive()
		switch {
		case lazy.columns != nil:
			t.addColumns(key, lazy.columns, levels, named, takes)
		case lazy.indexed:
			t.addList(key, lazy.text, lazy.list, levels, named, takes)
		default:
			t.addText(key, lazy.text, lazy.start, levels, named, takes)
		}
		return
	}

	for _, name := range members.Keys() {
		if !takes.has(name) {
			continue
		}
		info := t.member([]byte(name))
		inner := append(key[:len(key):len(key)], info.datum...)
		if levels > 1 {
			t.addMembers(inner, members.Get(name), levels-1, info, nil)
			continue
		}
		t.addValue(t.closeMember(inner), members.Get(name))
	}
}

// addColumns adds the members of an object whose members lie in columns: those that the
// filter takes are fetched, and no others.
func (t *scriptTable) addColumns(key []byte, in *inColumns, levels int, named *memberInfo, takes *nameFilter) {
	nodes, err := in.group.Members(nil, in.row, in.node, takes.among(in.group, in.node))
	if err != nil {
		t.r.ThrowEngine(err)
	}

	for _, node := range nodes {
		name := in.group.Name(node)
		if !takes.has(name) {
			continue
		}
		kind, text, err := in.group.Kind(in.row, node)
		if err != nil {
			t.r.ThrowEngine(err)
		}

		info := t.member([]byte(name))
		switch {
		case kind == columns.Text:
			t.addMember(key, text, 0, levels, info, named, nil)
		case kind == columns.Object && levels > 1:
			inner := &inColumns{in.group, in.row, node}
			t.addColumns(append(key[:len(key):len(key)], info.datum...), inner, levels-1, info, nil)
		case kind == columns.Object:
			text, err := in.group.AppendObject(nil, in.row, node)
			if err != nil {
				t.r.ThrowEngine(err)
			}
			t.addMember(key, text, 0, levels, info, named, nil)
		}
	}
}

// addText adds the members of the object at text[start].
func (t *scriptTable) addText(key, text []byte, start, levels int, named *memberInfo, takes *nameFilter) {
	task := t.r.tables.task
	mark := task.Mark()
	t.r.tables.each++
	call := t.r.tables.each

	it := jsonscan.MembersTrusted(text, start)
	for it.Next() {
		info := t.member(it.Name())

		// Of a name that comes twice the last value counts.
		if info.seen == call {
			task.RollbackTo(mark)
			list, _ := t.r.index(text, start, false)
			t.addLast(key, text, list, levels, named, takes)
			return
		}
		info.seen = call

		if end := t.addMember(key, text, it.Start, levels, info, named, takes); end > 0 {
			it.SetEnd(end)
		}
	}
	if it.Err() != nil {
		t.r.Throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
	}
}

// addList is addText for an object whose members are indexed.
func (t *scriptTable) addList(key, text []byte, list []member, levels int, named *memberInfo, takes *nameFilter) {
	task := t.r.tables.task
	mark := task.Mark()
	t.r.tables.each++
	call := t.r.tables.each

	for i := range list {
		info := t.member(list[i].name(text))
		if info.seen == call {
			task.RollbackTo(mark)
			t.addLast(key, text, list, levels, named, takes)
			return
		}
		info.seen = call
		t.addMember(key, text, int(list[i].start), levels, info, named, takes)
	}
}

// addLast adds the last member of each name.
func (t *scriptTable) addLast(key, text []byte, list []member, levels int, named *memberInfo, takes *nameFilter) {
	last := make(map[string]int, len(list))
	for i := range list {
		last[string(list[i].name(text))] = i
	}
	for i := range list {
		name := list[i].name(text)
		if last[string(name)] == i {
			t.addMember(key, text, int(list[i].start), levels, t.member(name), named, takes)
		}
	}
}

// addMember adds the member whose value is at text[at]. It returns the offset behind the
// value, or 0 if it has not come to know it.
func (t *scriptTable) addMember(key, text []byte, at, levels int, info, named *memberInfo, takes *nameFilter) (end int) {
	if !takes.has(info.name) {
		return 0
	}
	if levels > 1 {
		if text[at] != '{' {
			t.notObject(text, at, info.name)
			return 0
		}
		t.addText(append(key[:len(key):len(key)], info.datum...), text, at, levels-1, info, nil)
		return 0
	}

	// Nearly all histograms go where those of their name went before.
	if named == nil && t.table.Takes() == tables.HistogramValue {
		if end = t.addDirect(text, at, t.groupOf(info)); end > 0 {
			return end
		}
	}

	// The key is made in the table's own buffer, which key is the start of.
	full := append(key, info.datum...)
	t.key = full[:0]
	switch t.table.Takes() {
	case tables.HistogramValue:
		if named == nil {
			named = info
		}
		return t.addHistogramText(full, text, at, info, named)
	case tables.Nothing:
		t.r.tables.task.Add(t.number, t.closeMember(full), tables.AppendOne(t.value[:0]))
		return 0
	}

	t.r.enc.value = t.r.appendJSON(t.r.enc.value[:0], text, at, false)
	t.addDatum(t.closeMember(full), t.r.enc.value)
	return 0
}

// notObject skips a member that is null, and throws for any other that is no object.
func (t *scriptTable) notObject(text []byte, at int, name string) {
	encoded := t.r.appendJSON(nil, text, at, false)
	if datum.Kind(encoded[0]) != datum.Null {
		t.r.ThrowType("%s.addEach: %s, %s, is no object", t.name(), name, clip(datum.AppendMessage(nil, encoded)))
	}
	t.r.tables.task.Skip(t.number)
}
