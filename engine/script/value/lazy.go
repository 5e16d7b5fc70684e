package value

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// errJSON is what a script sees, as a GoError, when it touches text that is not JSON.
var errJSON = errors.New("the record's JSON is malformed")

// errStale is what a script sees when it touches a ping after its call.
var errStale = errors.New("this ping is gone: a ping is valid during its own map call only (copy what you keep)")

func errBadJSON(b []byte) error { return fmt.Errorf("%w near %q", errJSON, clip(b)) }

// view is the common part of lazy values: a JSON object or array at text[start].
type view struct {
	r     *Runtime
	gen   uint64 // the ping's; text is reused when it is over
	text  []byte
	start int
}

// alive throws when the ping is over.
func (v *view) alive() {
	if v.gen != v.r.gen {
		v.r.Throw(errStale)
	}
}

// member is one property of a lazy object: offsets into the text, which is
// shorter than 2 GiB.
type member struct {
	key, keyEnd int32 // between the quotes
	start       int32
}

// made is a member's value, once it was asked for.
type made struct {
	start int32 // of the member
	value goja.Value
}

// lazyObject is a JSON object that is parsed as far as a script looks. It
// enumerates in document order; a name that comes twice has its last value.
// What a script sets or deletes is kept beside the text.
type lazyObject struct {
	view
	list    []member // all of them if indexed; the Runtime takes it back when the ping is over
	indexed bool
	values  []made
	tail    []member              // the last ones, from the end; while not indexed
	end     *fromEnd              // continues tail; nil: not begun, or given up
	last    bool                  // the object ends the text, so tail can be found
	asText  bool                  // a ping: as a string it is its text
	set     map[string]goja.Value // by the script
	order   []string              // of names in set that the text does not have
	deleted map[string]bool
}

var (
	lazyObjectType = reflect.TypeFor[*lazyObject]()
	lazyArrayType  = reflect.TypeFor[*lazyArray]()
)

// members returns the properties of the object at text[i] in document order;
// the list is the Runtime's again when the next ping begins. If deep, the objects
// that are its members are indexed on the way, for the price of skipping them.
func (r *Runtime) members(text []byte, i int, deep bool) []member {
	list, _ := r.indexMembers(text, i, deep)
	return list
}

// indexMembers returns also the offset behind the object.
func (r *Runtime) indexMembers(text []byte, i int, deep bool) (list []member, end int) {
	if n := len(r.spare); n > 0 {
		list = r.spare[n-1][:0]
		r.spare = r.spare[:n-1]
	}
	it := jsonscan.MembersTrusted(text, i)
	for it.Next() {
		keyEnd := it.Start - 1
		for text[keyEnd] != '"' { // back over the colon and any space
			keyEnd--
		}
		list = append(list, member{key: int32(keyEnd - len(it.Key)), keyEnd: int32(keyEnd), start: int32(it.Start)})
		if deep && it.Start < len(text) && text[it.Start] == '{' {
			sub, end := r.indexMembers(text, it.Start, false)
			r.inner = append(r.inner, inner{start: int32(it.Start), list: sub})
			it.SetEnd(end)
		}
	}
	if it.Err() != nil {
		r.Throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
	}
	r.lent = append(r.lent, list)
	return list, it.After()
}

// inner is the index of an object inside a ping, made in passing.
type inner struct {
	start int32
	list  []member
}

// NextPing makes all views of the ping before stale and takes back their lists.
func (r *Runtime) NextPing() {
	r.gen++
	r.spare = append(r.spare, r.lent...)
	r.lent, r.inner = r.lent[:0], r.inner[:0]
}

func (o *lazyObject) untouched() bool { return len(o.set) == 0 && len(o.deleted) == 0 }

func (o *lazyObject) index() []member {
	if o.indexed {
		return o.list
	}
	o.list, o.indexed = o.r.members(o.text, o.start, o.asText), true
	o.tail, o.end = nil, nil
	return o.list
}

// find returns the member with that name, or nil.
func (o *lazyObject) find(name string) *member {
	if !o.indexed && o.last && !o.r.early[name] {
		if m, sure := o.findFromEnd(name); sure {
			return m
		}
		if len(o.r.early) < maxEarly { // it will stand there in the next ping too
			o.r.early[name] = true
		}
	}
	list := o.index()
	for i := len(list) - 1; i >= 0; i-- {
		m := &list[i]
		if jsonscan.Is(o.text[m.key:m.keyEnd], name) {
			return m
		}
	}
	return nil
}

// findFromEnd looks among the object's last members; sure is false when it has
// given up.
func (o *lazyObject) findFromEnd(name string) (m *member, sure bool) {
	for i := range o.tail {
		if m := &o.tail[i]; jsonscan.Is(o.text[m.key:m.keyEnd], name) {
			return m, true
		}
	}
	if o.end == nil {
		f, ok := newFromEnd(o.text, o.start)
		if !ok {
			o.last = false
			return nil, false
		}
		o.end = &f
	}
	for {
		m, more, ok := o.end.next()
		if !ok {
			o.last = false
			return nil, false
		}
		o.tail = append(o.tail, m)
		if jsonscan.Is(o.text[m.key:m.keyEnd], name) {
			if !more {
				o.last = false
			}
			return &o.tail[len(o.tail)-1], true
		}
		if !more {
			o.last = false
			return nil, true
		}
	}
}

// Get implements goja.DynamicObject.
func (o *lazyObject) Get(name string) goja.Value {
	o.alive()
	if v, ok := o.set[name]; ok {
		return v
	}
	if o.deleted[name] {
		return nil
	}
	m := o.find(name)
	if m == nil {
		if o.asText && name == "length" {
			return o.textValue().ToObject(o.r.rt).Get("length")
		}
		return nil
	}
	for i := range o.values { // the same object each time
		if o.values[i].start == m.start {
			return o.values[i].value
		}
	}
	v := o.r.lazy(o.text, int(m.start), o.gen)
	o.values = append(o.values, made{m.start, v})
	return v
}

// textValue returns the text from the object's brace on as a string.
func (o *lazyObject) textValue() goja.Value {
	o.alive()
	return o.r.rt.ToValue(string(o.text[o.start:]))
}

// Has implements goja.DynamicObject.
func (o *lazyObject) Has(name string) bool {
	o.alive()
	if _, ok := o.set[name]; ok {
		return true
	}
	return !o.deleted[name] && o.find(name) != nil
}

// Set implements goja.DynamicObject.
func (o *lazyObject) Set(name string, v goja.Value) bool {
	o.alive()
	if _, ok := o.set[name]; !ok && (o.deleted[name] || o.find(name) == nil) {
		o.order = append(o.order, name)
	}
	if o.set == nil {
		o.set = map[string]goja.Value{}
	}
	o.set[name] = v
	return true
}

// Delete implements goja.DynamicObject.
func (o *lazyObject) Delete(name string) bool {
	o.alive()
	delete(o.set, name)
	if i := slices.Index(o.order, name); i >= 0 {
		o.order = slices.Delete(o.order, i, i+1)
	}
	if o.deleted == nil {
		o.deleted = map[string]bool{}
	}
	o.deleted[name] = true
	return true
}

// Keys implements goja.DynamicObject.
func (o *lazyObject) Keys() []string {
	o.alive()
	list := o.index()
	keys := make([]string, 0, len(list)+len(o.order))
	seen := make(map[string]bool, len(list))
	for i := range list {
		k := string(jsonscan.Unquote(o.text[list[i].key:list[i].keyEnd]))
		if !seen[k] && !o.deleted[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	return append(keys, o.order...)
}

// lazyArray is a JSON array whose elements are found at the first look.
type lazyArray struct {
	view
	starts []int32 // of the elements; nil: not indexed yet
	values []goja.Value
	own    bool // a script has changed it: values are all there is
	ready  bool
}

func (a *lazyArray) untouched() bool { return !a.own }

func (a *lazyArray) index() {
	a.alive()
	if a.ready {
		return
	}
	it := jsonscan.ElementsTrusted(a.text, a.start)
	for it.Next() {
		a.starts = append(a.starts, int32(it.Start))
	}
	if it.Err() != nil {
		a.r.Throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
	}
	a.values = make([]goja.Value, len(a.starts))
	a.ready = true
}

// Len implements goja.DynamicArray. That of a flat list of numbers, such as a
// histogram, is found without looking at the numbers.
func (a *lazyArray) Len() int {
	if !a.ready {
		a.alive()
		flat := a.text[a.start+1:]
		if end := bytes.IndexByte(flat, ']'); end >= 0 {
			if flat = flat[:end]; bytes.IndexByte(flat, '"') < 0 && bytes.IndexByte(flat, '[') < 0 && bytes.IndexByte(flat, '{') < 0 {
				if jsonscan.Space(flat, 0) == len(flat) {
					return 0
				}
				return bytes.Count(flat, []byte(",")) + 1
			}
		}
		a.index()
	}
	return len(a.values)
}

// Get implements goja.DynamicArray.
func (a *lazyArray) Get(i int) goja.Value {
	a.index()
	if i < 0 || i >= len(a.values) {
		return nil
	}
	if a.values[i] == nil {
		if a.own {
			return goja.Undefined()
		}
		a.values[i] = a.r.lazy(a.text, int(a.starts[i]), a.gen)
	}
	return a.values[i]
}

// materialise makes every element a value of its own, before a change.
func (a *lazyArray) materialise() {
	a.index()
	if a.own {
		return
	}
	for i := range a.values {
		a.Get(i)
	}
	a.own = true
}

// Set implements goja.DynamicArray.
func (a *lazyArray) Set(i int, v goja.Value) bool {
	a.materialise()
	if i < 0 || i > len(a.values)+1<<20 {
		return false
	}
	for i >= len(a.values) {
		a.values = append(a.values, goja.Undefined())
	}
	a.values[i] = v
	return true
}

// SetLen implements goja.DynamicArray.
func (a *lazyArray) SetLen(n int) bool {
	a.materialise()
	if n < 0 || n > len(a.values)+1<<20 {
		return false
	}
	for n > len(a.values) {
		a.values = append(a.values, goja.Undefined())
	}
	a.values = a.values[:n]
	return true
}

// lazy returns the JSON value at text[i]: scalars as they are, objects and
// arrays as views.
func (r *Runtime) lazy(text []byte, i int, gen uint64) goja.Value {
	i = jsonscan.Space(text, i)
	if i >= len(text) {
		r.Throw(errBadJSON(nil))
	}
	switch text[i] {
	case '{':
		o := &lazyObject{view: view{r: r, gen: gen, text: text, start: i}}
		for k := range r.inner {
			if r.inner[k].start == int32(i) {
				o.list, o.indexed = r.inner[k].list, true
			}
		}
		return r.rt.NewDynamicObject(o)
	case '[':
		return r.rt.NewDynamicArray(&lazyArray{view: view{r: r, gen: gen, text: text, start: i}})
	case '"':
		end := jsonscan.StringTrusted(text, i)
		return r.intern(jsonscan.Unquote(text[i+1 : max(i+1, end-1)]))
	case 't':
		return r.rt.ToValue(true)
	case 'f':
		return r.rt.ToValue(false)
	case 'n':
		return goja.Null()
	}
	end := jsonscan.SkipTrusted(text, i)
	f, ok := number(text[i:end])
	if !ok {
		r.Throw(errBadJSON(text[i:]))
	}
	return r.rt.ToValue(f)
}

// lazyArrayOf returns the lazy array behind o, or nil.
func lazyArrayOf(o *goja.Object) *lazyArray {
	if o.ExportType() != lazyArrayType {
		return nil
	}
	return o.Export().(*lazyArray)
}

// maxEarly bounds the names that are not looked for from the end.
const maxEarly = 100

// indexNames are the names of small array indexes, so that reading an array
// makes no garbage.
var indexNames = func() (names [1024]string) {
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}()

// at returns element i of an array.
func at(o *goja.Object, i int) goja.Value {
	if i < len(indexNames) {
		return o.Get(indexNames[i])
	}
	return o.Get(strconv.Itoa(i))
}
