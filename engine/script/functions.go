package script

import (
	"fmt"
	"reflect"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

var promiseType = reflect.TypeFor[*goja.Promise]()

// export returns what the script exports by a declared name or one of its
// aliases, and the name that it has there; nil if it does not.
func (h *host) export(declared string) (v goja.Value, name string) {
	for _, name := range declare.Names(declared) {
		if v := h.exports.Get(name); v != nil && !goja.IsUndefined(v) {
			return v, name
		}
	}
	return nil, ""
}

// function returns the exported function of a declared name; nil if the script
// exports none. It panics with an *Error where the export is no function. The function
// fails if it returns a promise or a generator, or leaves a rejected promise.
func (h *host) function(declared string) goja.Callable {
	v, name := h.export(declared)
	if v == nil {
		return nil
	}

	f, ok := goja.AssertFunction(v)
	if !ok {
		panic(&Error{File: h.script.Name, Phase: "load", Message: fmt.Sprintf("%s is exported, but is no function: %s", name, h.show(v))})
	}

	return func(this goja.Value, args ...goja.Value) (goja.Value, error) {
		v, err := f(this, args...)

		// The next call starts without this one's promises.
		rejected := h.rejected
		h.rejected = nil
		if err != nil {
			return v, err
		}

		// No code would wait for what these will be.
		if o, ok := v.(*goja.Object); ok {
			switch {
			case o.ExportType() == promiseType:
				return nil, fmt.Errorf("%s returned a promise: it must not be async", name)
			case isGenerator(o):
				return nil, fmt.Errorf("%s returned a generator, which nobody runs: write function, not function*", name)
			}
		}
		if rejected != nil {
			return nil, fmt.Errorf("a promise was rejected, and nobody caught it: %s", h.show(rejected.Result()))
		}
		return v, nil
	}
}

// isGenerator reports whether o is what a function* returns.
func isGenerator(o *goja.Object) bool {
	tag := o.GetSymbol(goja.SymToStringTag)
	return tag != nil && tag.String() == "Generator"
}
