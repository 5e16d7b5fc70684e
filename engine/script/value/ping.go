package value

import "github.com/dop251/goja"

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
	switch name {
	case "constructor", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toJSON":
		return nil
	case "histogram":
		return rt.ToValue(p.r.pingHistogram)
	case "layout":
		return rt.ToValue(p.r.pingLayout)
	case "toString":
		return rt.ToValue(func(call goja.FunctionCall) goja.Value { return p.text(call.This) })
	}
	if p.str == nil {
		p.str = rt.Get("String").ToObject(rt).Get("prototype").ToObject(rt)
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
		p.r.ThrowType("not a ping")
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
