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
//	histogram of a ping           histogram, with its bucketing; printed as its stored form
//	object, array of a data file  object, array
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
func (r *Runtime) appendDatum(dst []byte, written goja.Value, depth int, key bool) []byte {
	switch {
	case written == nil || goja.IsUndefined(written):
		return datum.AppendUndefined(dst)
	case goja.IsNull(written):
		return datum.AppendNull(dst)
	case goja.IsString(written):
		return datum.AppendString(dst, written.String())
	case goja.IsNumber(written):
		return datum.AppendNumber(dst, written.ToFloat())
	}

	// What is no object is a boolean, or refused.
	object, ok := written.(*goja.Object)
	if !ok {
		if written == r.rt.ToValue(true) || written == r.rt.ToValue(false) {
			return datum.AppendBool(dst, written.ToBoolean())
		}
		r.ThrowType("cannot write a %s: write its string or number", kindName(written))
	}

	if depth > maxCrossDepth {
		r.ThrowType("cannot write a value that nests deeper than %d levels, or refers to itself", maxCrossDepth)
	}

	return r.appendObject(dst, object, depth, key)
}

// appendObject appends the datum of an object of any class.
func (r *Runtime) appendObject(dst []byte, object *goja.Object, depth int, key bool) []byte {
	// dims is the most common key.
	if object == r.dims.object {
		return append(dst, r.dims.datum...)
	}

	switch object.ClassName() {
	case "Array":
		return r.appendArray(dst, object, depth, key)
	case "Date":
		iso, ok := goja.AssertFunction(object.Get("toISOString"))
		if !ok {
			break
		}
		text, err := iso(object)
		if err != nil {
			panic(err)
		}
		return datum.AppendString(dst, text.String())
	case "String":
		return datum.AppendString(dst, object.String())
	case "Number":
		return datum.AppendNumber(dst, object.ToFloat())
	case "Boolean":
		return datum.AppendBool(dst, object.Export() == true)
	case "Object":
		if key {
			r.ThrowType(keyRule)
		}
		return r.appendMembers(dst, object, depth)
	}

	r.refuse(object)
	return nil
}

// appendArray appends an array.
func (r *Runtime) appendArray(dst []byte, object *goja.Object, depth int, key bool) []byte {
	// What no script has changed crosses without being decoded.
	if lazy := lazyArrayOf(object); lazy != nil && lazy.untouched() {
		lazy.alive()
		return r.appendJSON(dst, lazy.text, lazy.start, key)
	}
	if list := numberListOf(object); list != nil {
		return list.append(dst, depth, key)
	}

	dst = datum.AppendKind(dst, datum.Array)
	length := int(object.Get("length").ToInteger())
	for i := range length {
		dst = r.appendDatum(dst, at(object, i), depth+1, key)
	}

	return datum.AppendKind(dst, datum.End)
}

// appendMembers appends an object that JavaScript calls Object: a plain one, a
// lazy one, a histogram, a typed array, or one of the host's, which is refused.
func (r *Runtime) appendMembers(dst []byte, object *goja.Object, depth int) []byte {
	if lazy := objectOf(object); lazy != nil && lazy.untouched() {
		lazy.alive()
		lazy.materialise()
		return r.appendJSON(dst, lazy.text, lazy.start, false)
	}

	// goja tells classes apart by the Go type that they export to.
	switch exported := object.ExportType(); {
	case exported == boundType:
		return object.Export().(*bound).appendTo(dst)
	case exported == lazyObjectType || exported == dataObjectType || exported.Kind() == reflect.Map:
	case exported.Kind() == reflect.Slice && exported.Elem().Kind() != reflect.Interface && exported.Elem().Kind() != reflect.Array:
		return r.appendTypedArray(dst, reflect.ValueOf(object.Export()))
	default:
		r.refuse(object)
	}

	// A plain object, or a lazy one that the script has changed.
	dst = datum.AppendKind(dst, datum.Object)
	for _, name := range object.Keys() {
		written := object.Get(name)
		if written == nil || goja.IsUndefined(written) {
			continue
		}
		dst = datum.AppendString(dst, name)
		dst = r.appendDatum(dst, written, depth+1, false)
	}

	return datum.AppendKind(dst, datum.End)
}

// refuse throws a TypeError that names the class of o.
func (r *Runtime) refuse(object *goja.Object) {
	name := object.ClassName()
	if class, ok := object.Get("constructor").(*goja.Object); ok && name == "Object" {
		if className := class.Get("name"); className != nil {
			name = className.String()
		}
	}
	r.ThrowType("cannot write a %s: write a plain object or an array", name)
}

// appendTypedArray appends a Float64Array or its kin as an array of numbers.
func (r *Runtime) appendTypedArray(dst []byte, numbers reflect.Value) []byte {
	dst = datum.AppendKind(dst, datum.Array)
	for i := range numbers.Len() {
		switch element := numbers.Index(i); {
		case element.CanInt():
			dst = datum.AppendNumber(dst, float64(element.Int()))
		case element.CanUint():
			dst = datum.AppendNumber(dst, float64(element.Uint()))
		case element.CanFloat():
			dst = datum.AppendNumber(dst, element.Float())
		}
	}

	return datum.AppendKind(dst, datum.End)
}

// appendJSON appends the datum of the JSON value at text[i], which no script has
// changed: bytes to bytes.
func (r *Runtime) appendJSON(dst, text []byte, at int, key bool) []byte {
	at = jsonscan.Space(text, at)
	if at >= len(text) {
		r.Throw(errBadJSON(text))
	}

	switch text[at] {
	case '{':
		if key {
			r.ThrowType(keyRule)
		}
		return r.appendJSONObject(dst, text, at)
	case '[':
		dst = datum.AppendKind(dst, datum.Array)
		it := jsonscan.ElementsTrusted(text, at)
		for it.Next() {
			dst = r.appendJSON(dst, text, it.Start, key)
		}
		if it.Err() != nil {
			r.Throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
		}
		return datum.AppendKind(dst, datum.End)
	case '"':
		end := jsonscan.StringTrusted(text, at)
		return datum.AppendString(dst, jsonscan.Unquote(text[at+1:max(at+1, end-1)]))
	case 't':
		return datum.AppendBool(dst, true)
	case 'f':
		return datum.AppendBool(dst, false)
	case 'n':
		return datum.AppendNull(dst)
	}

	// Everything else should be a number.
	end := jsonscan.SkipTrusted(text, at)
	float, ok := number(text[at:end])
	if !ok {
		r.Throw(errBadJSON(text[at:end]))
	}

	return datum.AppendNumber(dst, float)
}

// appendJSONObject appends the object at text[i]. A name that comes twice has its
// last value, at the first's place, as JSON.parse does it.
func (r *Runtime) appendJSONObject(dst, text []byte, i int) []byte {
	list, _ := r.index(text, i, false)
	last := make(map[string]int32, len(list)) // start of the value, of names not appended yet
	for i := range list {
		last[string(list[i].name(text))] = list[i].start
	}

	dst = datum.AppendKind(dst, datum.Object)
	for i := range list {
		name := list[i].name(text)
		start, ok := last[string(name)]
		if !ok {
			continue
		}
		dst = datum.AppendString(dst, name)
		dst = r.appendJSON(dst, text, int(start), false)
		delete(last, string(name))
	}

	return datum.AppendKind(dst, datum.End)
}

// maxExact is the greatest integer up to which float64 has all of them.
const maxExact = 1 << 53

// number parses a JSON number; one beyond float64 is ±Infinity.
func number(text []byte) (float float64, ok bool) {
	// Most numbers are small integers.
	integer, isInt := jsonscan.Int(text)
	if isInt && integer < maxExact && integer > -maxExact {
		return float64(integer), true
	}

	if len(text) == 0 || text[0] != '-' && text[0]-'0' > 9 {
		return 0, false
	}

	float, _ = jsonscan.Float(text)
	return float, true
}

// Decode returns the value of the first datum in d, or throws.
func (r *Runtime) Decode(d []byte) goja.Value {
	decoded, _, err := r.decodeNext(d)
	if err != nil {
		r.Throw(err)
	}
	return decoded
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
	case datum.Histogram:
		decoded, rest, err := r.decodeHistogram(d)
		if err != nil {
			return nil, nil, err
		}
		return decoded.view(), rest, nil
	}

	return nil, nil, datum.ErrMalformed
}

// decodeArray decodes the elements in d, up to their end.
func (r *Runtime) decodeArray(left []byte) (element goja.Value, rest []byte, err error) {
	var items []any
	for !atEnd(left) {
		if element, left, err = r.decodeNext(left); err != nil {
			return nil, nil, err
		}
		items = append(items, element)
	}

	return r.rt.NewArray(items...), left[min(1, len(left)):], nil
}

// decodeObject decodes the names and values in d, up to their end.
func (r *Runtime) decodeObject(left []byte) (member goja.Value, rest []byte, err error) {
	object := r.rt.NewObject()
	for !atEnd(left) {
		_, name, after, err := datum.Next(left)
		if err != nil {
			return nil, nil, err
		}
		if member, left, err = r.decodeNext(after); err != nil {
			return nil, nil, err
		}
		// Defined, not set: "__proto__" is a name like any other.
		if err := object.DefineDataProperty(string(datum.Text(name)), member, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE); err != nil {
			return nil, nil, err
		}
	}

	return object, left[min(1, len(left)):], nil
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
