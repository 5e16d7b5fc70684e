package value

import (
	"slices"

	"github.com/dop251/goja"
)

// Ping returns the lazy view of a record's JSON, which must be an object. It is
// valid until NextPing; text must not change before.
func (r *Runtime) Ping(text []byte) goja.Value {
	view := r.lazy(text, 0, r.gen)
	ping := objectOf(view)
	if ping == nil {
		return view
	}

	// The text ends with the ping's brace, so that members can be found from the end.
	ping.last, ping.asText = true, true
	if r.fields != nil {
		ping.field = &r.fields.root
	}
	r.ping = ping
	view.(*goja.Object).SetPrototype(r.pingProto)
	return view
}

// installPing makes the prototype of pings. A member of the JSON hides a method
// of the same name, never the other way round. The string methods work on the
// record's text, so that scripts which took the value for a string still do.
func (r *Runtime) installPing() {
	r.properties = pingProperties
	r.pingProto = r.rt.NewDynamicObject(&pingProto{r: r, methods: map[string]goja.Value{}})
}

// pingMethods are the host's methods of pings.
var pingMethods = map[string]func(*Runtime, goja.FunctionCall) goja.Value{
	"histogram": (*Runtime).pingHistogram,
	"layout":    (*Runtime).pingLayout,
	"metric":    (*Runtime).pingMetric,
	"scalar":    (*Runtime).pingScalar,
	"toString":  (*Runtime).pingText,
}

// ofObject are the members of String.prototype that a ping has as the object
// that it is.
var ofObject = []string{"constructor", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toJSON"}

// pingProto makes its methods when a script first reads them: most tasks never do.
type pingProto struct {
	r       *Runtime
	strings *goja.Object // String.prototype; nil until a script reads a method of it
	methods map[string]goja.Value
}

// Get implements goja.DynamicObject.
func (p *pingProto) Get(name string) goja.Value {
	if property := p.r.properties[name]; property != nil && p.r.ping != nil && p.r.ping.gen == p.r.gen {
		return property(p.r, p.r.ping)
	}
	if method, ok := p.methods[name]; ok {
		return method
	}
	method := p.make(name)
	p.methods[name] = method
	return method
}

// make makes a method, or returns nil for a name that is no method.
func (p *pingProto) make(name string) goja.Value {
	if method := pingMethods[name]; method != nil {
		return p.r.rt.ToValue(func(call goja.FunctionCall) goja.Value { return method(p.r, call) })
	}

	// Of these, the ping has those of an object.
	if slices.Contains(ofObject, name) {
		return nil
	}

	// A method of String works on the record's text.
	if p.strings == nil {
		p.strings = p.r.prototype("String")
	}

	method, ok := goja.AssertFunction(p.strings.Get(name))
	if !ok {
		return nil
	}

	return p.r.rt.ToValue(func(call goja.FunctionCall) goja.Value {
		returned, err := method(p.r.pingText(call), call.Arguments...)
		if err != nil {
			panic(err)
		}
		return returned
	})
}

// Has implements goja.DynamicObject.
func (p *pingProto) Has(name string) bool { return p.Get(name) != nil }

// Set implements goja.DynamicObject. False: a value goes to the ping itself.
func (p *pingProto) Set(string, goja.Value) bool { return false }

// Delete implements goja.DynamicObject.
func (p *pingProto) Delete(string) bool { return true }

// Keys implements goja.DynamicObject: no method is enumerated.
func (p *pingProto) Keys() []string { return nil }

// pingText is ping.toString(): the record's text.
func (r *Runtime) pingText(call goja.FunctionCall) goja.Value {
	ping := objectOf(call.This)
	if ping == nil {
		r.ThrowType("not a ping")
	}
	return ping.textValue()
}

// installJSON makes JSON.parse return a ping, or any lazy value, as it is.
func (r *Runtime) installJSON() {
	rt := r.rt
	json := rt.Get("JSON").ToObject(rt)
	parse, _ := goja.AssertFunction(json.Get("parse"))

	// The predecessor's scripts begin with JSON.parse(value).
	lazyParse := func(call goja.FunctionCall) goja.Value {
		if viewed := objectOf(call.Argument(0)); viewed != nil && len(call.Arguments) == 1 {
			viewed.alive()
			return call.Arguments[0]
		}
		parsed, err := parse(json, call.Arguments...)
		if err != nil {
			panic(err)
		}
		return parsed
	}

	json.DefineDataProperty("parse", rt.ToValue(lazyParse), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}
