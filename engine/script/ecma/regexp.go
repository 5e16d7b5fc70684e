package ecma

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/ecma/pattern"
)

// regExp is what belongs to a RegExp object of a script.
type regExp struct {
	program *pattern.Program
	source  goja.String
	flags   string // in ECMAScript's order, each once

	// advances says whether exec moves lastIndex: the flag g or y.
	advances, sticky, unicode, indices bool
}

// allFlags has every flag, in the order in which RegExp.prototype.flags has them.
const allFlags = "dgimsuvy"

// flagNames are the accessors that say whether a flag is set.
var flagNames = []struct {
	flag byte
	name string
}{
	{'d', "hasIndices"}, {'g', "global"}, {'i', "ignoreCase"}, {'m', "multiline"},
	{'s', "dotAll"}, {'u', "unicode"}, {'v', "unicodeSets"}, {'y', "sticky"},
}

// programs caches compiled patterns for the whole process: every task of a job
// makes the same ones.
var programs = struct {
	sync.Mutex
	byKey map[string]*pattern.Program // by flags, "/" and source
}{byKey: map[string]*pattern.Program{}}

// maxPrograms bounds the cache. A script that makes up patterns empties it.
const maxPrograms = 1000

// compile returns the program of a pattern, from the cache if it is there.
func compile(source goja.String, flags string) (*pattern.Program, error) {
	// The key holds the code units, because UTF-8 has no place for half a surrogate
	// pair.
	units := codeUnits(source)
	key := flags + "/" + string(pattern.Bytes(units))

	programs.Lock()
	p := programs.byKey[key]
	programs.Unlock()
	if p != nil {
		return p, nil
	}

	p, err := pattern.Compile(units, flags)
	if err != nil {
		return nil, err
	}

	programs.Lock()
	defer programs.Unlock()
	if len(programs.byKey) >= maxPrograms {
		clear(programs.byKey)
	}
	programs.byKey[key] = p

	return p, nil
}

// codeUnits returns the code units of a string; the caller must not change them.
func codeUnits(s goja.String) []uint16 {
	if text := textOf(s); text.Wide() != nil {
		return text.Wide()
	}

	return utf16.Encode([]rune(s.String()))
}

var wideType = reflect.TypeFor[[]uint16]()

// textOf returns a string of goja's as the matcher reads it, without copying it
// where goja has it as bytes or as code units.
func textOf(s goja.String) pattern.Text {
	switch v := reflect.ValueOf(s); v.Kind() {
	case reflect.String: // ASCII
		return pattern.Latin1(v.String())
	case reflect.Slice:
		// goja keeps UTF-16 behind a byte order mark.
		units := v.Convert(wideType).Interface().([]uint16)
		return pattern.UTF16(units[1:])
	}

	// A string that came from Go, which goja may not have looked at yet.
	text := s.String()
	if len(text) == s.Length() {
		return pattern.Latin1(text)
	}

	return pattern.UTF16(utf16.Encode([]rune(text)))
}

// newRegExp makes the object for a pattern and its flags. It throws a SyntaxError
// for what ECMAScript does not allow.
func (e *Environment) newRegExp(source goja.String, flags string, proto *goja.Object) *goja.Object {
	program, err := compile(source, flags)
	if err != nil {
		e.throw("SyntaxError", err.Error())
	}

	// The flags are kept in the order of the standard, whatever order the script has.
	re := &regExp{program: program, source: source}
	for _, flag := range allFlags {
		if strings.ContainsRune(flags, flag) {
			re.flags += string(flag)
		}
	}
	re.sticky = strings.Contains(flags, "y")
	re.advances = re.sticky || strings.Contains(flags, "g")
	re.unicode = strings.ContainsAny(flags, "uv")
	re.indices = strings.Contains(flags, "d")

	// What belongs to the object hangs on it under a symbol that no script has.
	object := e.rt.CreateObject(proto)
	object.DefineDataPropertySymbol(e.slot, e.rt.ToValue(re), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	object.DefineDataProperty("lastIndex", e.rt.ToValue(0), goja.FLAG_TRUE, goja.FLAG_FALSE, goja.FLAG_FALSE)

	return object
}

// regExpOf returns what belongs to an object, or nil if it is no RegExp.
func (e *Environment) regExpOf(v goja.Value) *regExp {
	object, ok := v.(*goja.Object)
	if !ok {
		return nil
	}
	slot := object.GetSymbol(e.slot)
	if slot == nil {
		return nil
	}
	re, _ := slot.Export().(*regExp)

	return re
}

// needRegExp is regExpOf for a method that works on nothing else.
func (e *Environment) needRegExp(v goja.Value, method string) (*goja.Object, *regExp) {
	re := e.regExpOf(v)
	if re == nil {
		panic(e.rt.NewTypeError("RegExp.prototype.%s needs a RegExp", method))
	}

	return v.(*goja.Object), re
}

// match runs a program, and throws what the matcher says instead of an answer.
func (e *Environment) match(re *regExp, text pattern.Text, from int, sticky bool) []int {
	// Most runtimes never match anything, so the matcher is made for the first match.
	if e.matcher == nil {
		e.matcher = pattern.NewMatcher(e.interrupted.Load)
	}

	places, err := e.matcher.Match(re.program, text, from, sticky)
	if errors.Is(err, pattern.ErrInterrupted) {
		return nil // the runtime, which was interrupted before, stops at its next step
	}
	if err != nil {
		e.throw("RangeError", err.Error())
	}

	return places
}

// exec is RegExpBuiltinExec: one match from lastIndex on, which it moves.
func (e *Environment) exec(object *goja.Object, re *regExp, s goja.String) []int {
	// lastIndex is read in any case, because reading it can have effects, but it only
	// counts with the flags g and y.
	from := 0
	lastIndex := toLength(object.Get("lastIndex"))
	if re.advances {
		from = lastIndex
	}

	var places []int
	if from <= s.Length() {
		places = e.match(re, textOf(s), from, re.sticky)
	}

	// A match moves it behind itself, a failure back to the start.
	if re.advances {
		next := 0
		if places != nil {
			next = places[1]
		}
		e.setLastIndex(object, next)
	}

	return places
}

// setLastIndex throws a TypeError if the script has made it read-only.
func (e *Environment) setLastIndex(object *goja.Object, i int) {
	if err := object.Set("lastIndex", i); err != nil {
		panic(err)
	}
}

// result is the array that exec returns for a match.
func (e *Environment) result(re *regExp, s goja.String, places []int) *goja.Object {
	items := make([]any, len(places)/2)
	for i := range items {
		items[i] = group(s, places, i)
	}

	array := e.rt.NewArray(items...)
	array.Set("index", places[0])
	array.Set("input", s)
	array.Set("groups", e.groups(re, func(i int) goja.Value { return items[i].(goja.Value) }))
	if re.indices {
		array.Set("indices", e.indices(re, places))
	}

	return array
}

// group returns the text of a group, undefined for one that took no part.
func group(s goja.String, places []int, i int) goja.Value {
	if places[2*i] < 0 {
		return goja.Undefined()
	}

	return s.Substring(places[2*i], places[2*i+1])
}

// groups returns the object of the named groups, or undefined without any.
func (e *Environment) groups(re *regExp, value func(group int) goja.Value) goja.Value {
	var object *goja.Object
	for i, name := range re.program.GroupNames() {
		if name == "" {
			continue
		}
		if object == nil {
			object = e.rt.CreateObject(nil)
		}

		// Of two groups with one name, in different alternatives, one took part.
		v := value(i)
		if before := object.Get(name); before == nil || goja.IsUndefined(before) {
			object.Set(name, v)
		}
	}
	if object == nil {
		return goja.Undefined()
	}

	return object
}

// indices returns the array of the groups' places, for the flag d.
func (e *Environment) indices(re *regExp, places []int) *goja.Object {
	items := make([]any, len(places)/2)
	for i := range items {
		items[i] = goja.Undefined()
		if places[2*i] >= 0 {
			items[i] = e.rt.NewArray(places[2*i], places[2*i+1])
		}
	}

	array := e.rt.NewArray(items...)
	array.Set("groups", e.groups(re, func(i int) goja.Value { return items[i].(goja.Value) }))

	return array
}

// toLength is ECMAScript's ToLength.
func toLength(v goja.Value) int {
	if v == nil {
		return 0
	}

	return int(min(max(v.ToInteger(), 0), 1<<53-1))
}

// advance is AdvanceStringIndex: the place behind the character at i.
func advance(s goja.String, i int, unicode bool) int {
	if unicode && i+1 < s.Length() && utf16.IsSurrogate(rune(s.CharAt(i))) &&
		utf16.DecodeRune(rune(s.CharAt(i)), rune(s.CharAt(i+1))) != '\uFFFD' {
		return i + 2
	}

	return i + 1
}
