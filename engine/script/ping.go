package script

import (
	"strings"

	"github.com/dop251/goja"
)

// protos are the prototypes and values of one runtime that every call needs.
type protos struct {
	ping      *goja.Object // of pings: string methods over the text
	dims      *goja.Object
	dimsDatum []byte
}

// ping returns the lazy view of a record's JSON, which must be an object.
func (h *host) ping(text []byte) goja.Value {
	v := h.lazy(text, 0, h.gen)
	o, ok := v.(*goja.Object)
	if !ok || o.ExportType() != lazyObjectType {
		return v
	}
	o.SetPrototype(h.protos.ping)
	return o
}

// objectOf returns the lazy object behind v, or nil. Export is not asked of other
// objects: it would copy them.
func objectOf(v goja.Value) *lazyObject {
	o, ok := v.(*goja.Object)
	if !ok || o.ExportType() != lazyObjectType {
		return nil
	}
	return o.Export().(*lazyObject)
}

// install makes the globals that a runtime adds to JavaScript's own.
func (h *host) install(console func(level, text string)) {
	h.installPing()
	h.installJSON()
	h.installConsole(console)
}

// installPing makes the prototype of pings. A member of the JSON hides a method
// of the same name, never the other way round. The string methods work on the
// record's text, so that scripts which took the value for a string still do.
func (h *host) installPing() {
	rt := h.rt
	p := rt.NewObject()
	text := func(this goja.Value) goja.Value {
		l := objectOf(this)
		if l == nil {
			h.throwType("not a ping")
		}
		l.alive()
		return rt.ToValue(string(l.text[l.start:]))
	}
	hide := func(name string, f func(goja.FunctionCall) goja.Value) {
		p.DefineDataProperty(name, rt.ToValue(f), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	str := rt.Get("String").ToObject(rt).Get("prototype").ToObject(rt)
	for _, name := range str.GetOwnPropertyNames() {
		method, ok := goja.AssertFunction(str.Get(name))
		if !ok || name == "constructor" || name == "toString" || name == "valueOf" {
			continue
		}
		hide(name, func(call goja.FunctionCall) goja.Value {
			v, err := method(text(call.This), call.Arguments...)
			if err != nil {
				panic(err)
			}
			return v
		})
	}
	hide("toString", func(call goja.FunctionCall) goja.Value { return text(call.This) })
	p.DefineAccessorProperty("length", rt.ToValue(func(call goja.FunctionCall) goja.Value {
		return text(call.This).ToObject(rt).Get("length")
	}), nil, goja.FLAG_TRUE, goja.FLAG_FALSE)
	h.protos.ping = p
}

// installJSON makes JSON.parse return a ping, or any lazy value, as it is.
func (h *host) installJSON() {
	rt := h.rt
	json := rt.Get("JSON").ToObject(rt)
	parse, _ := goja.AssertFunction(json.Get("parse"))
	json.DefineDataProperty("parse", rt.ToValue(func(call goja.FunctionCall) goja.Value {
		if l := objectOf(call.Argument(0)); l != nil && len(call.Arguments) == 1 {
			l.alive()
			return call.Arguments[0]
		}
		v, err := parse(json, call.Arguments...)
		if err != nil {
			panic(err)
		}
		return v
	}), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// installConsole makes console.log and its kin.
func (h *host) installConsole(sink func(level, text string)) {
	c := h.rt.NewObject()
	for _, level := range []string{"log", "debug", "info", "warn", "error"} {
		c.Set(level, func(call goja.FunctionCall) goja.Value {
			if sink == nil {
				return goja.Undefined()
			}
			var b strings.Builder
			for i, a := range call.Arguments {
				if i > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(h.show(a))
			}
			sink(level, b.String())
			return goja.Undefined()
		})
	}
	h.rt.Set("console", c)
}

// show renders a value for console: objects as JSON.
func (h *host) show(v goja.Value) string {
	if o, ok := v.(*goja.Object); ok && (o.ClassName() == "Object" || o.ClassName() == "Array") {
		stringify, _ := goja.AssertFunction(h.rt.Get("JSON").ToObject(h.rt).Get("stringify"))
		if s, err := stringify(goja.Undefined(), v); err == nil {
			return s.String()
		}
	}
	return v.String()
}

// frozenDims makes the array of dimension values that all records of a task
// share, with the values as properties too. It is frozen: a script cannot
// change what the next record sees.
func (h *host) frozenDims(names, values []string) *goja.Object {
	items := make([]any, len(values))
	for i, v := range values {
		items[i] = v
	}
	dims := h.rt.NewArray(items...)
	for i, n := range names {
		dims.DefineDataProperty(n, h.rt.ToValue(values[i]), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	}
	freeze, _ := goja.AssertFunction(h.rt.Get("Object").ToObject(h.rt).Get("freeze"))
	if _, err := freeze(goja.Undefined(), dims); err != nil {
		panic(err)
	}
	return dims
}
