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
func (h *host) export(declared string) (exported goja.Value, name string) {
	for _, name := range declare.Names(declared) {
		if exported := h.exports.Get(name); exported != nil && !goja.IsUndefined(exported) {
			return exported, name
		}
	}
	return nil, ""
}

// function returns the exported function of a declared name; nil if the script
// exports none. It panics with an *Error where the export is no function. The function
// fails if it returns a promise or a generator, or leaves a rejected promise.
func (h *host) function(declared string) goja.Callable {
	exported, name := h.export(declared)
	if exported == nil {
		return nil
	}

	f, ok := goja.AssertFunction(exported)
	if !ok {
		panic(&Error{File: h.script.Name, Phase: "load", Message: fmt.Sprintf("%s is exported, but is no function: %s", name, h.show(exported))})
	}

	return func(this goja.Value, args ...goja.Value) (goja.Value, error) {
		exported, err := f(this, args...)

		// The next call starts without this one's promises.
		rejected := h.rejected
		h.rejected = nil
		if err != nil {
			return exported, err
		}

		// No code would wait for what these will be.
		if object, ok := exported.(*goja.Object); ok {
			switch {
			case object.ExportType() == promiseType:
				return nil, fmt.Errorf("%s returned a promise: it must not be async", name)
			case isGenerator(object):
				return nil, fmt.Errorf("%s returned a generator, which nobody runs: write function, not function*", name)
			}
		}
		if rejected != nil {
			return nil, fmt.Errorf("a promise was rejected, and nobody caught it: %s", h.show(rejected.Result()))
		}
		return exported, nil
	}
}

// isGenerator reports whether an object is what a function* returns.
func isGenerator(object *goja.Object) bool {
	tag := object.GetSymbol(goja.SymToStringTag)
	return tag != nil && tag.String() == "Generator"
}
