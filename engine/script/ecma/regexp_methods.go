package ecma

import (
	"strings"

	"github.com/dop251/goja"
)

// hiddenRegExp is the global name by which compiled scripts make the objects of
// their literals. No script can write it, so none can hide it.
const hiddenRegExp = "%RegExp%"

// installRegExp puts RegExp, its prototype and the methods of strings that make
// patterns of strings into the runtime.
func (e *Environment) installRegExp() {
	// The constructor, and what hangs on it.
	rt := e.rt
	e.slot = goja.NewSymbol("pattern")
	e.proto = rt.NewObject()

	constructor := rt.ToValue(e.construct).(*goja.Object)
	constructor.DefineDataProperty("name", rt.ToValue("RegExp"), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	constructor.DefineDataProperty("length", rt.ToValue(2), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	constructor.DefineDataProperty("prototype", e.proto, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	constructor.DefineAccessorPropertySymbol(goja.SymSpecies, e.function("get [Symbol.species]", 0, func(call goja.FunctionCall) goja.Value {
		return call.This
	}), nil, goja.FLAG_TRUE, goja.FLAG_FALSE)
	e.define(constructor, "escape", 1, e.escape)
	e.proto.DefineDataProperty("constructor", constructor, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	e.constructor = constructor

	// goja's Object.prototype.toString knows only its own RegExp.
	e.proto.DefineDataPropertySymbol(goja.SymToStringTag, rt.ToValue("RegExp"), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	// The methods of RegExp.prototype: those with names, then those that strings call.
	e.defineFlags()
	e.execMethod = e.define(e.proto, "exec", 1, func(call goja.FunctionCall) goja.Value {
		object, re := e.needRegExp(call.This, "exec")
		s := toString(call.Argument(0))
		places := e.exec(object, re, s)
		if places == nil {
			return goja.Null()
		}

		return e.result(re, s, places)
	})
	e.define(e.proto, "test", 1, func(call goja.FunctionCall) goja.Value {
		return rt.ToValue(e.execAny(e.object(call.This), toString(call.Argument(0))) != nil)
	})
	e.define(e.proto, "toString", 0, func(call goja.FunctionCall) goja.Value {
		object := e.object(call.This)
		return rt.ToValue("/" + object.Get("source").String() + "/" + object.Get("flags").String())
	})
	e.define(e.proto, "compile", 2, func(goja.FunctionCall) goja.Value {
		panic(rt.NewTypeError("RegExp.prototype.compile is not supported: make a new RegExp"))
	})

	e.defineSymbol(e.proto, goja.SymMatch, "[Symbol.match]", 1, e.symbolMatch)
	e.defineSymbol(e.proto, goja.SymMatchAll, "[Symbol.matchAll]", 1, e.symbolMatchAll)
	e.defineSymbol(e.proto, goja.SymReplace, "[Symbol.replace]", 2, e.symbolReplace)
	e.defineSymbol(e.proto, goja.SymSearch, "[Symbol.search]", 1, e.symbolSearch)
	e.defineSymbol(e.proto, goja.SymSplit, "[Symbol.split]", 2, e.symbolSplit)

	// Scripts reach all this by the global name, and compiled literals by the hidden
	// ones.
	global := rt.GlobalObject()
	e.replaceInPrototype(global)
	global.DefineDataProperty("RegExp", constructor, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	e.hide(hiddenCallRegExp, e.callWithoutNew)
	e.hide(hiddenRegExp, func(call goja.FunctionCall) goja.Value {
		return e.newRegExp(toString(call.Argument(0)), call.Argument(1).String(), e.proto)
	})
}

// callWithoutNew is RegExp(pattern, flags), which returns a RegExp as it is. goja
// does not tell a constructor whether it was called with new, so Prepare sends calls
// without to this function.
func (e *Environment) callWithoutNew(call goja.FunctionCall) goja.Value {
	first := call.Argument(0)
	if goja.IsUndefined(call.Argument(1)) && e.isRegExp(first) {
		if object := first.(*goja.Object); object.Get("constructor") == e.constructor {
			return object
		}
	}

	return e.make(e.constructor, call.Arguments...)
}

// construct is new RegExp(pattern, flags).
func (e *Environment) construct(call goja.ConstructorCall) *goja.Object {
	first, second := call.Argument(0), call.Argument(1)
	isRegExp := e.isRegExp(first)
	// A pattern given as a RegExp brings its source, and its flags unless others are
	// given.
	var source, flags goja.Value = first, second
	if re := e.regExpOf(first); re != nil {
		source = re.source
		if goja.IsUndefined(flags) {
			flags = e.rt.ToValue(re.flags)
		}
	} else if isRegExp {
		source = first.(*goja.Object).Get("source")
		if goja.IsUndefined(flags) {
			flags = first.(*goja.Object).Get("flags")
		}
	}

	// A subclass has its own prototype.
	proto := e.proto
	if call.NewTarget != nil {
		if p, ok := call.NewTarget.Get("prototype").(*goja.Object); ok {
			proto = p
		}
	}

	return e.newRegExp(textOrEmpty(source), textOrEmpty(flags).String(), proto)
}

// textOrEmpty is ToString, but "" for undefined.
func textOrEmpty(v goja.Value) goja.String {
	if v == nil || goja.IsUndefined(v) {
		return goja.StringFromUTF16(nil)
	}

	return toString(v)
}

// isRegExp is ECMAScript's IsRegExp.
func (e *Environment) isRegExp(v goja.Value) bool {
	object, ok := v.(*goja.Object)
	if !ok {
		return false
	}
	if m := object.GetSymbol(goja.SymMatch); m != nil && !goja.IsUndefined(m) {
		return m.ToBoolean()
	}

	return e.regExpOf(object) != nil
}

// defineFlags defines the accessors source, flags and one for each flag.
func (e *Environment) defineFlags() {
	e.getter("source", func(object *goja.Object, re *regExp) goja.Value {
		if re == nil {
			return e.rt.ToValue("(?:)") // of RegExp.prototype itself
		}

		return escapeSource(re.source)
	})
	for _, f := range flagNames {
		e.getter(f.name, func(object *goja.Object, re *regExp) goja.Value {
			if re == nil {
				return goja.Undefined()
			}

			return e.rt.ToValue(strings.IndexByte(re.flags, f.flag) >= 0)
		})
	}

	// The flags of an object are what its accessors say, which a subclass may
	// have replaced.
	get := e.function("get flags", 0, func(call goja.FunctionCall) goja.Value {
		object := e.object(call.This)
		flags := ""
		for _, f := range flagNames {
			if v := object.Get(f.name); v != nil && v.ToBoolean() {
				flags += string(f.flag)
			}
		}

		return e.rt.ToValue(flags)
	})
	e.proto.DefineAccessorProperty("flags", get, nil, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// getter defines an accessor of RegExp.prototype. value gets nil for the
// prototype itself.
func (e *Environment) getter(name string, value func(*goja.Object, *regExp) goja.Value) {
	get := e.function("get "+name, 0, func(call goja.FunctionCall) goja.Value {
		object := e.object(call.This)
		re := e.regExpOf(object)
		if re == nil && object != e.proto {
			panic(e.rt.NewTypeError("RegExp.prototype.%s needs a RegExp", name))
		}

		return value(object, re)
	})
	e.proto.DefineAccessorProperty(name, get, nil, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// escapeSource returns a pattern such that it may stand between slashes.
func escapeSource(source goja.String) goja.Value {
	if source.Length() == 0 {
		return goja.StringFromUTF16([]uint16{'(', '?', ':', ')'})
	}

	var b goja.StringBuilder
	inClass, escaped := false, false
	for i := range source.Length() {
		// A line end cannot stand in a literal; behind a backslash, that one counts.
		unit := source.CharAt(i)
		switch {
		case unit == '\n' || unit == '\r' || unit == 0x2028 || unit == 0x2029:
			text := map[uint16]string{'\n': `\n`, '\r': `\r`, 0x2028: `\u2028`, 0x2029: `\u2029`}[unit]
			if escaped {
				text = text[1:]
			}
			b.WriteUTF8String(text)
			escaped = false
			continue
		case escaped:
			escaped = false
		case unit == '\\':
			escaped = true
		case unit == '[':
			inClass = true
		case unit == ']':
			inClass = false
		case unit == '/' && !inClass:
			b.WriteUTF8String(`\`)
		}
		b.WriteSubstring(source, i, i+1)
	}

	return b.String()
}

// execAny is RegExpExec: the object's own exec if the script has replaced it. It
// returns the result array, or nil.
func (e *Environment) execAny(object *goja.Object, s goja.String) *goja.Object {
	if places, re, ok := e.execFast(object, s); ok {
		if places == nil {
			return nil
		}

		return e.result(re, s, places)
	}

	// The script has an exec of its own, which returns a result array or null.
	exec, ok := goja.AssertFunction(object.Get("exec"))
	if !ok {
		panic(e.rt.NewTypeError("exec is not a function"))
	}
	v := e.must(exec(object, s))
	if goja.IsNull(v) {
		return nil
	}
	result, ok := v.(*goja.Object)
	if !ok {
		panic(e.rt.NewTypeError("exec returned neither an object nor null"))
	}

	return result
}

// execFast matches without making a result, if exec is our own.
func (e *Environment) execFast(object *goja.Object, s goja.String) (places []int, re *regExp, ok bool) {
	if object.Get("exec") != e.execMethod {
		return nil, nil, false
	}
	if re = e.regExpOf(object); re == nil {
		return nil, nil, false
	}

	return e.exec(object, re, s), re, true
}
