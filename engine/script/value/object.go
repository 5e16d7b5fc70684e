package value

import (
	"reflect"
	"slices"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// made is a member's value, made when a script first read it.
type made struct {
	start int32 // of the member
	value goja.Value
}

// lazyObject is a JSON object that is parsed as far as a script reads. It
// enumerates in document order; a name that comes twice has its last value.
// What a script sets or deletes is kept beside the text.
type lazyObject struct {
	view
	list    []member // all of them if indexed; the Runtime's again when the ping is over
	indexed bool
	walked  int            // members that look-ups have passed in list
	byName  map[string]int // the last member of each name, once look-ups have walked far

	values  []made               // of few members
	valueOf map[int32]goja.Value // by start; instead of values when there are many

	tail []member // the last members, from the end; while not indexed
	end  *fromEnd // continues tail; nil: not begun, or given up
	last bool     // the object ends the text, so tail can be found

	columns *inColumns // not nil: the members lie in columns, and there is no text yet
	field   *Field     // which it is of the pings; nil: what is read of it is not noted

	asText  bool                  // a ping: as a string it is its text
	set     map[string]goja.Value // by the script
	order   []string              // names in set that the text does not have, and some that were deleted again
	orderAt map[string]int        // where in order a name stands that counts
	deleted map[string]bool
}

const (
	// wideObject is from how many members on an object gets maps instead of lists
	// that are searched. Most objects of a ping are smaller.
	wideObject = 16
	// maxTail bounds the members that are looked at from the end.
	maxTail = 256
)

var lazyObjectType = reflect.TypeFor[*lazyObject]()

// objectOf returns the lazy object behind v, or nil. Export is not called on other
// objects: it would copy them.
func objectOf(v goja.Value) *lazyObject {
	object, ok := v.(*goja.Object)
	if !ok || object.ExportType() != lazyObjectType {
		return nil
	}
	return object.Export().(*lazyObject)
}

func (o *lazyObject) untouched() bool { return len(o.set) == 0 && len(o.deleted) == 0 }

// index returns all members.
func (o *lazyObject) index() []member {
	o.materialise()
	if !o.indexed {
		o.list, _ = o.r.index(o.text, o.start, o.asText)
		o.indexed = true
		o.tail, o.end = nil, nil
	}
	return o.list
}

// maxEarly bounds the names that are not looked up from the end.
const maxEarly = 100

// find returns the member with that name, or nil.
func (o *lazyObject) find(name string) *member {
	if !o.indexed && o.last && !o.r.early[name] {
		found, sure := o.findFromEnd(name)
		if sure {
			return found
		}
		// The name will stand that far from the end in the next ping too.
		if len(o.r.early) < maxEarly {
			o.r.early[name] = true
		}
	}

	list := o.index()
	if o.byName == nil && len(list) > wideObject && o.walked > 4*len(list) {
		o.mapNames()
	}
	if o.byName != nil {
		if at, ok := o.byName[name]; ok {
			return &list[at]
		}

		return nil
	}

	// Of a name that comes twice, the last value counts.
	for at := len(list) - 1; at >= 0; at-- {
		found := &list[at]
		if jsonscan.Is(o.text[found.key:found.keyEnd], name) {
			o.walked += len(list) - at
			return found
		}
	}
	o.walked += len(list)

	return nil
}

// mapNames makes byName. It takes as long as some look-ups in the list, so it is
// made when there have been as many: then no number of them takes long.
func (o *lazyObject) mapNames() {
	o.byName = make(map[string]int, len(o.list))
	for i := range o.list {
		o.byName[string(o.list[i].name(o.text))] = i
	}
}

// findFromEnd looks the name up among the object's last members; sure is false
// when it has given up.
func (o *lazyObject) findFromEnd(name string) (m *member, sure bool) {
	// Members that an earlier name has passed.
	for i := range o.tail {
		m := &o.tail[i]
		if jsonscan.Is(o.text[m.key:m.keyEnd], name) {
			return m, true
		}
	}

	// Then on from there, towards the first.
	if o.end == nil {
		end, ok := newFromEnd(o.text, o.start)
		if !ok {
			o.last = false
			return nil, false
		}
		o.end = &end
	}

	for {
		// Far from the end an index of all members is better.
		if len(o.tail) == maxTail {
			o.last = false
			return nil, false
		}

		m, more, ok := o.end.next()
		if !ok {
			o.last = false
			return nil, false
		}

		// Before the first member there is nothing to walk to.
		if !more {
			o.last = false
		}
		o.tail = append(o.tail, m)
		if jsonscan.Is(o.text[m.key:m.keyEnd], name) {
			return &o.tail[len(o.tail)-1], true
		}
		if !more {
			return nil, true
		}
	}
}

// Get implements goja.DynamicObject.
func (o *lazyObject) Get(name string) goja.Value {
	o.alive()
	if value, ok := o.set[name]; ok {
		return value
	}

	if o.deleted[name] {
		return nil
	}

	var field *Field
	if o.field != nil {
		field = o.r.fields.of(o.field, name)
	}
	value := o.member(name, field)
	if field != nil {
		o.noteRead(field, value != nil)
	}

	// A ping without such a member answers as the string that its text is.
	if value == nil && o.asText && name == "length" {
		return o.textValue().ToObject(o.r.rt).Get("length")
	}
	return value
}

// noteRead notes that the script has read a field of the object, and whether the record has
// it. What a ping has of its prototype is no field.
func (o *lazyObject) noteRead(field *Field, has bool) {
	if !has && o.asText {
		_, isProperty := o.r.properties[field.name]
		if isProperty || field.name == "length" || o.r.pingProto.Get(field.name) != nil {
			return
		}
	}
	field.note(o, has)
}

// member returns the value that the record has for a name, or nil. The field is that of the
// name; nil: it is not noted.
func (o *lazyObject) member(name string, field *Field) goja.Value {
	if o.columns != nil {
		return o.columns.member(o, name, field)
	}

	found := o.find(name)
	if found == nil {
		return nil
	}
	return o.value(found.start, field)
}

// has says whether the record has a member of that name.
func (o *lazyObject) has(name string) bool {
	if o.columns != nil {
		return o.columns.has(o.r, name)
	}
	return o.find(name) != nil
}

// value returns the value of the member at an offset, which is the same object each
// time: a script may compare or change it. The field is the member's.
func (o *lazyObject) value(start int32, field *Field) goja.Value {
	if v := o.made(start); v != nil {
		return v
	}
	if field != nil && o.text[start] == '{' {
		return o.keep(start, o.r.rt.NewDynamicObject(o.r.object(o.text, int(start), o.gen, field)))
	}
	return o.keep(start, o.r.lazy(o.text, int(start), o.gen))
}

// made returns the value that was made before of the member at an offset, or at a node;
// nil if it was not.
func (o *lazyObject) made(start int32) goja.Value {
	for i := range o.values {
		if o.values[i].start == start {
			return o.values[i].value
		}
	}
	return o.valueOf[start]
}

// keep keeps the value that was made of a member.
func (o *lazyObject) keep(start int32, v goja.Value) goja.Value {
	switch {
	case o.valueOf != nil:
		o.valueOf[start] = v
	case len(o.values) < wideObject:
		o.values = append(o.values, made{start, v})
	default:
		o.valueOf = map[int32]goja.Value{start: v}
	}

	return v
}

// textValue returns the text from the object's brace on as a string.
func (o *lazyObject) textValue() goja.Value {
	o.alive()
	o.materialise()
	return o.r.rt.ToValue(string(o.text[o.start:]))
}

// Has implements goja.DynamicObject.
func (o *lazyObject) Has(name string) bool {
	o.alive()
	if _, ok := o.set[name]; ok {
		return true
	}
	return !o.deleted[name] && o.has(name)
}

// Set implements goja.DynamicObject.
func (o *lazyObject) Set(name string, value goja.Value) bool {
	o.alive()

	// A new name is enumerated behind those of the text.
	_, known := o.set[name]
	if !known && (o.deleted[name] || !o.has(name)) {
		if o.orderAt == nil {
			o.orderAt = map[string]int{}
		}
		o.orderAt[name] = len(o.order)
		o.order = append(o.order, name)
	}

	if o.set == nil {
		o.set = map[string]goja.Value{}
	}
	o.set[name] = value
	return true
}

// Delete implements goja.DynamicObject.
func (o *lazyObject) Delete(name string) bool {
	o.alive()
	delete(o.set, name)
	delete(o.orderAt, name)

	if o.deleted == nil {
		o.deleted = map[string]bool{}
	}
	o.deleted[name] = true
	return true
}

// textKeys returns the names in the text that the script has not deleted.
func (o *lazyObject) textKeys() []string {
	list := o.index()
	keys := make([]string, 0, len(list)+len(o.order))
	seen := make(map[string]bool, len(list))
	for i := range list {
		name := string(list[i].name(o.text))
		if !seen[name] && !o.deleted[name] {
			seen[name] = true
			keys = append(keys, name)
		}
	}
	return keys
}

// Keys implements goja.DynamicObject.
func (o *lazyObject) Keys() []string {
	o.alive()

	// In document order, then what the script has added.
	var keys []string
	if o.columns != nil {
		keys = slices.DeleteFunc(o.columns.names(o.r), func(name string) bool { return o.deleted[name] })
	} else {
		keys = o.textKeys()
	}

	for i, name := range o.order {
		if at, ok := o.orderAt[name]; ok && at == i {
			keys = append(keys, name)
		}
	}

	return keys
}
