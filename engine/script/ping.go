package script

import (
	"strings"

	"github.com/dop251/goja"
)

// protos are the prototypes and values of one runtime that every call needs.
type protos struct {
	ping      *goja.Object // of pings: string methods over the text
	bound     *goja.Object // of ping.histogram(name); nil until asked for
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
	l := o.Export().(*lazyObject)
	l.last, l.asText = true, true
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
	h.installLibrary()
}

// installPing makes the prototype of pings. A member of the JSON hides a method
// of the same name, never the other way round. The string methods work on the
// record's text, so that scripts which took the value for a string still do.
func (h *host) installPing() {
	rt := h.rt
	str := rt.Get("String").ToObject(rt).Get("prototype").ToObject(rt)
	h.protos.ping = rt.NewDynamicObject(&pingProto{h: h, str: str, methods: map[string]goja.Value{}})
}

// pingProto makes its methods when they are first asked for: most tasks never do.
type pingProto struct {
	h       *host
	str     *goja.Object // String.prototype
	methods map[string]goja.Value
}

// Get implements goja.DynamicObject.
func (p *pingProto) Get(name string) goja.Value {
	if v, ok := p.methods[name]; ok {
		return v
	}
	v := p.make(name)
	p.methods[name] = v
	return v
}

func (p *pingProto) make(name string) goja.Value {
	rt := p.h.rt
	switch name {
	case "constructor", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toJSON":
		return nil
	case "histogram":
		return rt.ToValue(p.h.pingHistogram)
	case "toString":
		return rt.ToValue(func(call goja.FunctionCall) goja.Value { return p.text(call.This) })
	}
	method, ok := goja.AssertFunction(p.str.Get(name))
	if !ok {
		return nil
	}
	return rt.ToValue(func(call goja.FunctionCall) goja.Value {
		v, err := method(p.text(call.This), call.Arguments...)
		if err != nil {
			panic(err)
		}
		return v
	})
}

// text returns the record's text as a string.
func (p *pingProto) text(this goja.Value) goja.Value {
	l := objectOf(this)
	if l == nil {
		p.h.throwType("not a ping")
	}
	return l.textValue()
}

// Has implements goja.DynamicObject.
func (p *pingProto) Has(name string) bool { return p.Get(name) != nil }

// Set implements goja.DynamicObject. False: a value goes to the ping itself.
func (p *pingProto) Set(string, goja.Value) bool { return false }

// Delete implements goja.DynamicObject.
func (p *pingProto) Delete(string) bool { return true }

// Keys implements goja.DynamicObject: nothing of it is enumerated.
func (p *pingProto) Keys() []string { return nil }

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
			h.logged = true
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
	return h.freeze(dims)
}

// freeze returns o, which cannot be changed any more.
func (h *host) freeze(o *goja.Object) *goja.Object {
	freeze, _ := goja.AssertFunction(h.rt.Get("Object").ToObject(h.rt).Get("freeze"))
	if _, err := freeze(goja.Undefined(), o); err != nil {
		panic(err)
	}
	return o
}
