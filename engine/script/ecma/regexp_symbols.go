package ecma

import (
	"strings"

	"github.com/dop251/goja"
)

// found is one match, from our own exec or a script's.
type found struct {
	position int
	matched  goja.String
	captures []goja.Value // of the groups behind the whole match
	groups   goja.Value
}

// found returns the match at these places.
func (e *Environment) found(re *regExp, s goja.String, places []int) found {
	f := found{position: places[0], matched: s.Substring(places[0], places[1])}
	for i := 1; i < len(places)/2; i++ {
		f.captures = append(f.captures, group(s, places, i))
	}
	f.groups = e.groups(re, func(i int) goja.Value { return f.captures[i-1] })

	return f
}

// foundOf reads the result array that a script's own exec has made.
func (e *Environment) foundOf(result *goja.Object, s goja.String) found {
	f := found{matched: toString(orUndefined(result.Get("0"))), groups: orUndefined(result.Get("groups"))}
	f.position = max(0, min(int(orUndefined(result.Get("index")).ToInteger()), s.Length()))
	for i := 1; i < toLength(result.Get("length")); i++ {
		v := orUndefined(result.Get(e.rt.ToValue(i).String()))
		if !goja.IsUndefined(v) {
			v = toString(v)
		}
		f.captures = append(f.captures, v)
	}

	return f
}

// all calls each with the matches of a RegExp in s: with the flag g with all, else
// with the first one. each returns false to end.
func (e *Environment) all(object *goja.Object, s goja.String, flags string, each func(found)) {
	global := strings.Contains(flags, "g")
	unicode := strings.ContainsAny(flags, "uv")
	if global {
		e.setLastIndex(object, 0)
	}

	for {
		var f found
		if places, re, ok := e.execFast(object, s); ok {
			if places == nil {
				return
			}
			f = e.found(re, s, places)
		} else {
			result := e.execAny(object, s)
			if result == nil {
				return
			}
			f = e.foundOf(result, s)
		}

		each(f)
		if !global {
			return
		}

		// An empty match would be found again and again.
		if f.matched.Length() == 0 {
			e.setLastIndex(object, advance(s, toLength(object.Get("lastIndex")), unicode))
		}
	}
}

func (e *Environment) symbolMatch(call goja.FunctionCall) goja.Value {
	object, s := e.object(call.This), toString(call.Argument(0))
	flags := toString(object.Get("flags")).String()
	if !strings.Contains(flags, "g") {
		if result := e.execAny(object, s); result != nil {
			return result
		}

		return goja.Null()
	}

	var matches []any
	e.all(object, s, flags, func(f found) { matches = append(matches, f.matched) })
	if matches == nil {
		return goja.Null()
	}

	return e.rt.NewArray(matches...)
}

// symbolMatchAll returns an iterator over the result arrays of all matches. It
// works on a copy, so that the object's lastIndex does not move.
func (e *Environment) symbolMatchAll(call goja.FunctionCall) goja.Value {
	object, s := e.object(call.This), toString(call.Argument(0))
	flags := toString(object.Get("flags"))
	copied := e.construction(object, object, flags)
	e.setLastIndex(copied, toLength(object.Get("lastIndex")))

	global := strings.Contains(flags.String(), "g")
	unicode := strings.ContainsAny(flags.String(), "uv")
	done := false

	return e.iterator("RegExp String Iterator", func() goja.Value {
		if done {
			return nil
		}

		// Without the flag g there is one match.
		result := e.execAny(copied, s)
		if result == nil || !global {
			done = true
		}
		if result == nil {
			return nil
		}
		if global && toString(result.Get("0")).Length() == 0 {
			e.setLastIndex(copied, advance(s, toLength(copied.Get("lastIndex")), unicode))
		}

		return result
	})
}

func (e *Environment) symbolSearch(call goja.FunctionCall) goja.Value {
	object, s := e.object(call.This), toString(call.Argument(0))

	// A search begins at the start and leaves lastIndex as it was.
	before := object.Get("lastIndex")
	e.setLastIndex(object, 0)
	result := e.execAny(object, s)
	if err := object.Set("lastIndex", before); err != nil {
		panic(err)
	}
	if result == nil {
		return e.rt.ToValue(-1)
	}

	return result.Get("index")
}

func (e *Environment) symbolReplace(call goja.FunctionCall) goja.Value {
	object, s := e.object(call.This), toString(call.Argument(0))

	// The replacement is a function or a template.
	replacer, isFunction := goja.AssertFunction(call.Argument(1))
	var template goja.String
	if !isFunction {
		template = toString(call.Argument(1))
	}

	// All matches come first, because a replacement function may use the object.
	flags := toString(object.Get("flags")).String()
	var matches []found
	e.all(object, s, flags, func(f found) { matches = append(matches, f) })

	// next is where the text begins that has not been written.
	var b goja.StringBuilder
	next := 0
	for _, f := range matches {
		var text goja.String
		if isFunction {
			text = e.callReplacer(replacer, f, s)
		} else {
			text = e.substitution(f, s, template)
		}

		// A script's own exec may go backwards; what lies before next is written.
		if f.position >= next {
			b.WriteSubstring(s, next, f.position)
			b.WriteString(text)
			next = f.position + f.matched.Length()
		}
	}
	if next < s.Length() {
		b.WriteSubstring(s, next, s.Length())
	}

	return b.String()
}

// callReplacer calls the function that was given as replacement.
func (e *Environment) callReplacer(replacer goja.Callable, f found, s goja.String) goja.String {
	// The named groups are the last argument, if there are any.
	arguments := append([]goja.Value{f.matched}, f.captures...)
	arguments = append(arguments, e.rt.ToValue(f.position), s)
	if !goja.IsUndefined(f.groups) {
		arguments = append(arguments, f.groups)
	}

	return toString(e.must(replacer(goja.Undefined(), arguments...)))
}

// substitution is GetSubstitution: the replacement text with $1, $<name>, $& and
// the like replaced.
func (e *Environment) substitution(f found, s, template goja.String) goja.String {
	var b goja.StringBuilder
	n := template.Length()
	for i := 0; i < n; {
		// All but a dollar sign, and one at the end, stands for itself.
		if template.CharAt(i) != '$' || i+1 == n {
			b.WriteSubstring(template, i, i+1)
			i++
			continue
		}

		// The character behind the sign says what it stands for.
		next := template.CharAt(i + 1)
		switch {
		case next == '$':
			b.WriteUTF8String("$")
			i += 2
		case next == '&':
			b.WriteString(f.matched)
			i += 2
		case next == '`':
			b.WriteSubstring(s, 0, f.position)
			i += 2
		case next == '\'':
			b.WriteSubstring(s, min(f.position+f.matched.Length(), s.Length()), s.Length())
			i += 2
		case '0' <= next && next <= '9':
			i = e.numberedGroup(&b, f, template, i)
		case next == '<' && !goja.IsUndefined(f.groups):
			i = e.namedGroup(&b, f, template, i)
		default:
			b.WriteUTF8String("$")
			i++
		}
	}

	return b.String()
}

// numberedGroup writes what $1 or $12 at template[i] stands for, and returns the
// place behind it. Two digits count if there is such a group, else one.
func (e *Environment) numberedGroup(b *goja.StringBuilder, f found, template goja.String, i int) int {
	number, end := int(template.CharAt(i+1)-'0'), i+2
	if end < template.Length() {
		if digit := template.CharAt(end); '0' <= digit && digit <= '9' {
			if two := 10*number + int(digit-'0'); two >= 1 && two <= len(f.captures) {
				number, end = two, end+1
			}
		}
	}
	if number < 1 || number > len(f.captures) {
		b.WriteUTF8String("$")
		return i + 1
	}

	if capture := f.captures[number-1]; !goja.IsUndefined(capture) {
		b.WriteString(toString(capture))
	}

	return end
}

// namedGroup writes what $<name> at template[i] stands for, and returns the place
// behind it.
func (e *Environment) namedGroup(b *goja.StringBuilder, f found, template goja.String, i int) int {
	// A name without an end is no name.
	end := i + 2
	for end < template.Length() && template.CharAt(end) != '>' {
		end++
	}
	if end == template.Length() {
		b.WriteUTF8String("$")
		return i + 1
	}

	name := template.Substring(i+2, end).String()
	if v := f.groups.ToObject(e.rt).Get(name); v != nil && !goja.IsUndefined(v) {
		b.WriteString(toString(v))
	}

	return end + 1
}

func (e *Environment) symbolSplit(call goja.FunctionCall) goja.Value {
	object, s := e.object(call.This), toString(call.Argument(0))
	flags := toString(object.Get("flags")).String()
	unicode := strings.ContainsAny(flags, "uv")

	// A copy looks for the separators, so that the object's lastIndex stays. It is
	// sticky, as a script's own exec can see.
	if !strings.Contains(flags, "y") {
		flags += "y"
	}
	splitter := e.construction(object, object, e.rt.ToValue(flags))

	limit := uint32(1<<32 - 1)
	if v := call.Argument(1); !goja.IsUndefined(v) {
		limit = uint32(v.ToInteger())
	}
	if limit == 0 {
		return e.rt.NewArray()
	}

	// Of an empty text a separator that matches it leaves nothing.
	if s.Length() == 0 {
		if e.execAny(splitter, s) != nil {
			return e.rt.NewArray()
		}

		return e.rt.NewArray(s)
	}

	// The groups of a separator are parts of the result, too.
	var parts []any
	add := func(v goja.Value) bool {
		parts = append(parts, v)
		return len(parts) == int(limit)
	}
	begin := 0 // of the part that is being looked for
	for at := 0; at < s.Length(); {
		captures, start, end := e.splitAt(splitter, s, at)
		if start < 0 {
			break
		}

		// A separator that is empty where the part begins would split nothing off.
		if end == begin {
			at = advance(s, start, unicode)
			continue
		}

		if add(s.Substring(begin, start)) {
			return e.rt.NewArray(parts...)
		}
		for _, capture := range captures {
			if add(capture) {
				return e.rt.NewArray(parts...)
			}
		}
		begin, at = end, end
	}

	// What follows the last separator is a part, even if it is empty.
	add(s.Substring(begin, s.Length()))

	return e.rt.NewArray(parts...)
}

// splitAt finds the first separator that begins at a place from at on, before the
// end of the text; start is -1 without one.
func (e *Environment) splitAt(splitter *goja.Object, s goja.String, at int) (captures []goja.Value, start, end int) {
	if re := e.regExpOf(splitter); re != nil && splitter.Get("exec") == e.execMethod {
		places := e.match(re, textOf(s), at, false)
		if places == nil || places[0] >= s.Length() {
			return nil, -1, 0
		}

		for i := 1; i < len(places)/2; i++ {
			captures = append(captures, group(s, places, i))
		}

		return captures, places[0], places[1]
	}

	// A script's own exec is asked place by place, as ECMAScript says.
	for ; at < s.Length(); at++ {
		e.setLastIndex(splitter, at)
		result := e.execAny(splitter, s)
		if result == nil {
			continue
		}

		end := min(toLength(splitter.Get("lastIndex")), s.Length())
		return e.foundOf(result, s).captures, at, end
	}

	return nil, -1, 0
}

// construction makes a RegExp like object, with other flags, by the constructor
// that object's class says.
func (e *Environment) construction(object *goja.Object, source goja.Value, flags goja.Value) *goja.Object {
	if object.Get("constructor") == e.constructor && e.regExpOf(object) != nil {
		return e.newRegExp(e.regExpOf(object).source, flags.String(), e.proto)
	}

	// A subclass may say by which constructor its objects are copied.
	var constructor goja.Value = e.constructor
	if own, ok := object.Get("constructor").(*goja.Object); ok {
		if species := own.GetSymbol(goja.SymSpecies); species != nil && !goja.IsUndefined(species) && !goja.IsNull(species) {
			constructor = species
		}
	}

	return e.make(constructor, source, flags)
}

// replaceInPrototype replaces the methods of strings that make a RegExp of a
// string, because goja would make one of its own.
func (e *Environment) replaceInPrototype(global *goja.Object) {
	stringProto := global.Get("String").(*goja.Object).Get("prototype").(*goja.Object)
	for _, m := range []struct {
		name, flags string
		symbol      *goja.Symbol
	}{{"match", "", goja.SymMatch}, {"matchAll", "g", goja.SymMatchAll}, {"search", "", goja.SymSearch}} {
		original, _ := goja.AssertFunction(stringProto.Get(m.name))
		e.define(stringProto, m.name, 1, func(call goja.FunctionCall) goja.Value {
			this, argument := call.This, call.Argument(0)
			// An object brings its own method, and goja finds it.
			if _, isObject := argument.(*goja.Object); isObject || goja.IsUndefined(this) || goja.IsNull(this) {
				return e.must(original(this, call.Arguments...))
			}

			// Everything else is the text of a pattern.
			object := e.newRegExp(textOrEmpty(argument), m.flags, e.proto)
			method, _ := goja.AssertFunction(object.GetSymbol(m.symbol))

			return e.must(method(object, toString(this)))
		})
	}
}
