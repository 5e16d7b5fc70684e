package value

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// Values cross between JavaScript and the engine here, both ways:
//
//	JavaScript                    datum
//	undefined, an array's hole    undefined; a missing member reads as undefined
//	null                          null
//	boolean, number, string       the same; -0 is 0; a lone surrogate becomes U+FFFD
//	array, lazy array, dims       array
//	plain object, lazy object     object, members in order; undefined ones are left out, as JSON.stringify does
//	histogram of a ping           array, its stored form
//	Date                          string, ISO 8601
//	Boolean, Number, String       what they wrap
//	BigInt, function, symbol, Map, Set, Promise, other classes   refused with a TypeError
//
// A key may not hold an object: its members have no order to sort by.

// maxCrossDepth bounds nesting, and so ends cycles.
const maxCrossDepth = 100

// keyRule is what a key may be.
const keyRule = "a key must be a string, number, boolean, null or an array of these, not an object"

// encoder turns goja values into data. Its buffers are reused: what it returns
// is valid until the next call.
type encoder struct {
	key, value []byte
}

// EncodeKey returns the datum of a key, or throws. It is valid until the next
// EncodeKey or EncodeCell.
func (r *Runtime) EncodeKey(v goja.Value) []byte {
	r.enc.key = r.appendDatum(r.enc.key[:0], v, 0, true)
	return r.enc.key
}

// EncodeCell returns the datum of a key that is only written, not sorted, so that
// it may hold objects; or it throws. It is valid as EncodeKey's.
func (r *Runtime) EncodeCell(v goja.Value) []byte {
	r.enc.key = r.appendDatum(r.enc.key[:0], v, 0, false)
	return r.enc.key
}

// EncodeValue returns the datum of a value, or throws. It is valid until the next
// EncodeValue.
func (r *Runtime) EncodeValue(v goja.Value) []byte {
	r.enc.value = r.appendDatum(r.enc.value[:0], v, 0, false)
	return r.enc.value
}

// appendDatum appends the datum of a value, or of a key.
func (r *Runtime) appendDatum(b []byte, v goja.Value, depth int, key bool) []byte {
	switch {
	case v == nil || goja.IsUndefined(v):
		return datum.AppendUndefined(b)
	case goja.IsNull(v):
		return datum.AppendNull(b)
	case goja.IsString(v):
		return datum.AppendString(b, v.String())
	case goja.IsNumber(v):
		return datum.AppendNumber(b, v.ToFloat())
	}

	// What is no object is a boolean, or refused.
	o, ok := v.(*goja.Object)
	if !ok {
		if v == r.rt.ToValue(true) || v == r.rt.ToValue(false) {
			return datum.AppendBool(b, v.ToBoolean())
		}
		r.ThrowType("cannot write a %s: write its string or number", kindName(v))
	}

	if depth > maxCrossDepth {
		r.ThrowType("cannot write a value that nests deeper than %d levels, or refers to itself", maxCrossDepth)
	}

	return r.appendObject(b, o, depth, key)
}

// appendObject appends the datum of an object of any class.
func (r *Runtime) appendObject(b []byte, o *goja.Object, depth int, key bool) []byte {
	// dims is the most common key.
	if o == r.dims.object {
		return append(b, r.dims.datum...)
	}

	switch o.ClassName() {
	case "Array":
		return r.appendArray(b, o, depth, key)
	case "Date":
		iso, ok := goja.AssertFunction(o.Get("toISOString"))
		if !ok {
			break
		}
		s, err := iso(o)
		if err != nil {
			panic(err)
		}
		return datum.AppendString(b, s.String())
	case "String":
		return datum.AppendString(b, o.String())
	case "Number":
		return datum.AppendNumber(b, o.ToFloat())
	case "Boolean":
		return datum.AppendBool(b, o.Export() == true)
	case "Object":
		if key {
			r.ThrowType(keyRule)
		}
		return r.appendMembers(b, o, depth)
	}

	r.refuse(o)
	return nil
}

// appendArray appends an array.
func (r *Runtime) appendArray(b []byte, o *goja.Object, depth int, key bool) []byte {
	// What no script has changed crosses without being decoded.
	if l := lazyArrayOf(o); l != nil && l.untouched() {
		l.alive()
		return r.appendJSON(b, l.text, l.start, key)
	}

	b = datum.AppendKind(b, datum.Array)
	n := int(o.Get("length").ToInteger())
	for i := range n {
		b = r.appendDatum(b, at(o, i), depth+1, key)
	}

	return datum.AppendKind(b, datum.End)
}

// appendMembers appends an object that JavaScript calls Object: a plain one, a
// lazy one, a histogram, a typed array, or one of the host's, which is refused.
func (r *Runtime) appendMembers(b []byte, o *goja.Object, depth int) []byte {
	if l := objectOf(o); l != nil && l.untouched() {
		l.alive()
		return r.appendJSON(b, l.text, l.start, false)
	}

	// goja tells classes apart by the Go type that they export to.
	switch t := o.ExportType(); {
	case t == boundType:
		return o.Export().(*bound).appendTo(b)
	case t == lazyObjectType || t.Kind() == reflect.Map:
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Interface && t.Elem().Kind() != reflect.Array:
		return r.appendTypedArray(b, reflect.ValueOf(o.Export()))
	default:
		r.refuse(o)
	}

	// A plain object, or a lazy one that the script has changed.
	b = datum.AppendKind(b, datum.Object)
	for _, name := range o.Keys() {
		v := o.Get(name)
		if v == nil || goja.IsUndefined(v) {
			continue
		}
		b = datum.AppendString(b, name)
		b = r.appendDatum(b, v, depth+1, false)
	}

	return datum.AppendKind(b, datum.End)
}

// refuse throws a TypeError that names the class of o.
func (r *Runtime) refuse(o *goja.Object) {
	name := o.ClassName()
	if c, ok := o.Get("constructor").(*goja.Object); ok && name == "Object" {
		if v := c.Get("name"); v != nil {
			name = v.String()
		}
	}
	r.ThrowType("cannot write a %s: write a plain object or an array", name)
}

// appendTypedArray appends a Float64Array or its kin as an array of numbers.
func (r *Runtime) appendTypedArray(b []byte, v reflect.Value) []byte {
	b = datum.AppendKind(b, datum.Array)
	for i := range v.Len() {
		switch e := v.Index(i); {
		case e.CanInt():
			b = datum.AppendNumber(b, float64(e.Int()))
		case e.CanUint():
			b = datum.AppendNumber(b, float64(e.Uint()))
		case e.CanFloat():
			b = datum.AppendNumber(b, e.Float())
		}
	}

	return datum.AppendKind(b, datum.End)
}

// appendJSON appends the datum of the JSON value at text[i], which no script has
// changed: bytes to bytes.
func (r *Runtime) appendJSON(b, text []byte, i int, key bool) []byte {
	i = jsonscan.Space(text, i)
	if i >= len(text) {
		r.Throw(errBadJSON(text))
	}

	switch text[i] {
	case '{':
		if key {
			r.ThrowType(keyRule)
		}
		return r.appendJSONObject(b, text, i)
	case '[':
		b = datum.AppendKind(b, datum.Array)
		it := jsonscan.ElementsTrusted(text, i)
		for it.Next() {
			b = r.appendJSON(b, text, it.Start, key)
		}
		if it.Err() != nil {
			r.Throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
		}
		return datum.AppendKind(b, datum.End)
	case '"':
		end := jsonscan.StringTrusted(text, i)
		return datum.AppendString(b, jsonscan.Unquote(text[i+1:max(i+1, end-1)]))
	case 't':
		return datum.AppendBool(b, true)
	case 'f':
		return datum.AppendBool(b, false)
	case 'n':
		return datum.AppendNull(b)
	}

	// Everything else should be a number.
	end := jsonscan.SkipTrusted(text, i)
	f, ok := number(text[i:end])
	if !ok {
		r.Throw(errBadJSON(text[i:end]))
	}

	return datum.AppendNumber(b, f)
}

// appendJSONObject appends the object at text[i]. A name that comes twice has its
// last value, at the first's place, as JSON.parse does it.
func (r *Runtime) appendJSONObject(b, text []byte, i int) []byte {
	list, _ := r.index(text, i, false)
	last := make(map[string]int32, len(list)) // start of the value, of names not appended yet
	for i := range list {
		last[string(list[i].name(text))] = list[i].start
	}

	b = datum.AppendKind(b, datum.Object)
	for i := range list {
		name := list[i].name(text)
		start, ok := last[string(name)]
		if !ok {
			continue
		}
		b = datum.AppendString(b, name)
		b = r.appendJSON(b, text, int(start), false)
		delete(last, string(name))
	}

	return datum.AppendKind(b, datum.End)
}

// maxExact is the greatest integer up to which float64 has all of them.
const maxExact = 1 << 53

// number parses a JSON number; one beyond float64 is ±Infinity.
func number(text []byte) (f float64, ok bool) {
	// Most numbers are small integers.
	n, isInt := jsonscan.Int(text)
	if isInt && n < maxExact && n > -maxExact {
		return float64(n), true
	}

	if len(text) == 0 || text[0] != '-' && text[0]-'0' > 9 {
		return 0, false
	}

	f, _ = jsonscan.Float(text)
	return f, true
}

// Decode returns the value of the first datum in d, or throws.
func (r *Runtime) Decode(d []byte) goja.Value {
	v, _, err := r.decodeNext(d)
	if err != nil {
		r.Throw(err)
	}
	return v
}

// decodeNext returns also the data behind.
func (r *Runtime) decodeNext(d []byte) (v goja.Value, rest []byte, err error) {
	kind, token, rest, err := datum.Next(d)
	if err != nil {
		return nil, nil, err
	}

	switch kind {
	case datum.Null:
		return goja.Null(), rest, nil
	case datum.Undefined:
		return goja.Undefined(), rest, nil
	case datum.False, datum.True:
		return r.rt.ToValue(kind == datum.True), rest, nil
	case datum.Number:
		return r.rt.ToValue(datum.Float(token)), rest, nil
	case datum.String:
		return r.intern(datum.Text(token)), rest, nil
	case datum.Array:
		return r.decodeArray(rest)
	case datum.Object:
		return r.decodeObject(rest)
	}

	return nil, nil, datum.ErrMalformed
}

// decodeArray decodes the elements in d, up to their end.
func (r *Runtime) decodeArray(d []byte) (v goja.Value, rest []byte, err error) {
	var items []any
	for !atEnd(d) {
		if v, d, err = r.decodeNext(d); err != nil {
			return nil, nil, err
		}
		items = append(items, v)
	}

	return r.rt.NewArray(items...), d[min(1, len(d)):], nil
}

// decodeObject decodes the names and values in d, up to their end.
func (r *Runtime) decodeObject(d []byte) (v goja.Value, rest []byte, err error) {
	o := r.rt.NewObject()
	for !atEnd(d) {
		_, name, after, err := datum.Next(d)
		if err != nil {
			return nil, nil, err
		}
		if v, d, err = r.decodeNext(after); err != nil {
			return nil, nil, err
		}
		// Defined, not set: "__proto__" is a name like any other.
		if err := o.DefineDataProperty(string(datum.Text(name)), v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE); err != nil {
			return nil, nil, err
		}
	}

	return o, d[min(1, len(d)):], nil
}

// atEnd reports whether an array or an object ends here.
func atEnd(d []byte) bool { return len(d) == 0 || datum.Kind(d[0]) == datum.End }

// kindName names what no datum is made of.
func kindName(v goja.Value) string {
	if goja.IsBigInt(v) {
		return "BigInt"
	}
	if _, ok := v.(*goja.Symbol); ok {
		return "symbol"
	}
	return fmt.Sprintf("%T", v)
}

// clip returns the beginning of text, for a message of one line.
func clip(text []byte) []byte {
	const most = 40
	return bytes.ReplaceAll(text[:min(len(text), most)], []byte("\n"), []byte(" "))
}
