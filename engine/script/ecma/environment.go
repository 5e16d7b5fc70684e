package ecma

import (
	"sync/atomic"

	"github.com/dop251/goja"
	"golang.org/x/text/collate"

	"github.com/aitgithub/telemetry-server/engine/script/ecma/numeric"
	"github.com/aitgithub/telemetry-server/engine/script/ecma/pattern"
)

// Environment is what a runtime has of this package. It belongs to the runtime's
// goroutine, but for Interrupt.
type Environment struct {
	// Numbers returns an array of the host's as numbers, or nil if v is none. It may be
	// nil: then loops over arrays stay the script's own.
	Numbers func(v goja.Value) numeric.List

	rt          *goja.Runtime
	matcher     *pattern.Matcher // nil until the first match
	interrupted atomic.Bool
	nesting     int                          // calls of join and the like inside each other
	collators   map[string]*collate.Collator // of localeCompare, by language and options

	slot        *goja.Symbol // under which an object has its *regExp
	proto       *goja.Object // RegExp.prototype
	constructor *goja.Object // RegExp
	execMethod  *goja.Object // RegExp.prototype.exec, as we made it
}

// Install puts ECMAScript's RegExp, and what else a script needs that goja lacks or
// has different, into a new runtime. The caller closes the Environment when the
// runtime's work is done.
func Install(rt *goja.Runtime, features Features) *Environment {
	e := &Environment{rt: rt}
	if features.json {
		e.guardJSON()
	}
	if features.arrays {
		e.guardArrays()
	}
	if features.regExp {
		e.installRegExp()
	}
	if features.number {
		e.installNumber()
	}
	if features.date {
		e.installDate()
	}
	if features.locale {
		e.installLocale()
	}
	if features.source {
		e.installSource()
	}
	if features.loops {
		e.installLoops()
	}
	if len(features.calculations) > 0 {
		e.installCalculations(features.calculations)
	}
	e.installPolyfills(features.polyfills)

	return e
}

// Interrupt ends the regular expression that is being matched, if any, and each
// that is matched later. Call it after the runtime's own Interrupt, which ends the
// script. It may be called from any goroutine.
func (e *Environment) Interrupt() { e.interrupted.Store(true) }

// Resume takes an Interrupt back, for a runtime that goes on with another call.
func (e *Environment) Resume() { e.interrupted.Store(false) }

// Close releases memory that is not Go's. It may be called again.
func (e *Environment) Close() {
	if e.matcher != nil {
		e.matcher.Close()
		e.matcher = nil
	}
}

// hide defines a global function that only compiled scripts reach: see Prepare.
func (e *Environment) hide(name string, f func(goja.FunctionCall) goja.Value) {
	e.rt.GlobalObject().DefineDataProperty(name, e.rt.ToValue(f), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
}

// must passes on what a call of a script's function has thrown.
func (e *Environment) must(v goja.Value, err error) goja.Value {
	if err != nil {
		panic(err)
	}

	return v
}

// make calls a constructor.
func (e *Environment) make(constructor goja.Value, arguments ...goja.Value) *goja.Object {
	object, err := e.rt.New(constructor, arguments...)
	if err != nil {
		panic(err)
	}

	return object
}

// throw throws an error of a class such as "RangeError".
func (e *Environment) throw(class, message string) {
	panic(e.make(e.rt.GlobalObject().Get(class), e.rt.ToValue(message)))
}

// object returns v, which a method needs to be an object.
func (e *Environment) object(v goja.Value) *goja.Object {
	object, ok := v.(*goja.Object)
	if !ok {
		panic(e.rt.NewTypeError("the method needs an object, not %s", v))
	}

	return object
}

// function makes a host function with its name and number of parameters.
func (e *Environment) function(name string, length int, f func(goja.FunctionCall) goja.Value) *goja.Object {
	object := e.rt.ToValue(f).(*goja.Object)
	object.DefineDataProperty("name", e.rt.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	object.DefineDataProperty("length", e.rt.ToValue(length), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	return object
}

// define defines a method, which scripts may replace and do not enumerate.
func (e *Environment) define(object *goja.Object, name string, length int, f func(goja.FunctionCall) goja.Value) *goja.Object {
	method := e.function(name, length, f)
	object.DefineDataProperty(name, method, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	return method
}

// defineSymbol is define for a method that a symbol names.
func (e *Environment) defineSymbol(object *goja.Object, symbol *goja.Symbol, name string, length int, f func(goja.FunctionCall) goja.Value) {
	object.DefineDataPropertySymbol(symbol, e.function(name, length, f), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// iterator makes an iterator whose next calls next until that returns nil.
func (e *Environment) iterator(class string, next func() goja.Value) *goja.Object {
	object := e.rt.CreateObject(e.iteratorPrototype())
	e.define(object, "next", 0, func(goja.FunctionCall) goja.Value {
		result := e.rt.NewObject()
		v := next()
		if v == nil {
			v = goja.Undefined()
			result.Set("value", v)
			result.Set("done", true)
			return result
		}
		result.Set("value", v)
		result.Set("done", false)

		return result
	})
	object.DefineDataPropertySymbol(goja.SymToStringTag, e.rt.ToValue(class), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	return object
}

// iteratorPrototype returns %IteratorPrototype%.
func (e *Environment) iteratorPrototype() *goja.Object {
	values, _ := goja.AssertFunction(e.rt.NewArray().GetSymbol(goja.SymIterator))
	iterator := e.must(values(e.rt.NewArray()))

	return iterator.(*goja.Object).Prototype().Prototype()
}

// toString is ECMAScript's ToString.
func toString(v goja.Value) goja.String {
	if s, ok := v.(goja.String); ok {
		return s
	}

	// For a number goja's ToString returns the number.
	v = v.ToString()
	if s, ok := v.(goja.String); ok {
		return s
	}
	var b goja.StringBuilder
	b.WriteUTF8String(v.String())

	return b.String()
}

// orUndefined returns undefined for the nil that goja has for missing members.
func orUndefined(v goja.Value) goja.Value {
	if v == nil {
		return goja.Undefined()
	}

	return v
}
