package value

import (
	"slices"

	"github.com/dop251/goja"
)

// Ping returns the lazy view of a record's JSON, which must be an object. It is
// valid until NextPing; text must not change before.
func (r *Runtime) Ping(text []byte) goja.Value {
	v := r.lazy(text, 0, r.gen)
	o, ok := v.(*goja.Object)
	if !ok || o.ExportType() != lazyObjectType {
		return v
	}
	l := o.Export().(*lazyObject)
	l.last, l.asText = true, true
	o.SetPrototype(r.pingProto)
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

// installPing makes the prototype of pings. A member of the JSON hides a method
// of the same name, never the other way round. The string methods work on the
// record's text, so that scripts which took the value for a string still do.
func (r *Runtime) installPing() {
	r.pingProto = r.rt.NewDynamicObject(&pingProto{r: r, methods: map[string]goja.Value{}})
}

// pingMethods are the host's methods of pings.
var pingMethods = map[string]func(*Runtime, goja.FunctionCall) goja.Value{
	"histogram": (*Runtime).pingHistogram,
	"layout":    (*Runtime).pingLayout,
	"toString":  (*Runtime).pingText,
}

// ofObject are the members of String.prototype that a ping has as the object
// that it is.
var ofObject = []string{"constructor", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toJSON"}

// pingProto makes its methods when they are first asked for: most tasks never do.
type pingProto struct {
	r       *Runtime
	str     *goja.Object // String.prototype; nil until asked for
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
	rt := p.r.rt
	if method := pingMethods[name]; method != nil {
		return rt.ToValue(func(call goja.FunctionCall) goja.Value { return method(p.r, call) })
	}
	if slices.Contains(ofObject, name) {
		return nil
	}
	if p.str == nil {
		p.str = rt.Get("String").ToObject(rt).Get("prototype").ToObject(rt)
	}
	method, ok := goja.AssertFunction(p.str.Get(name))
	if !ok {
		return nil
	}
	return rt.ToValue(func(call goja.FunctionCall) goja.Value {
		v, err := method(p.r.pingText(call), call.Arguments...)
		if err != nil {
			panic(err)
		}
		return v
	})
}

// pingText is ping.toString(): the record's text.
func (r *Runtime) pingText(call goja.FunctionCall) goja.Value {
	ping := objectOf(call.This)
	if ping == nil {
		r.ThrowType("not a ping")
	}
	return ping.textValue()
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
func (r *Runtime) installJSON() {
	rt := r.rt
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
