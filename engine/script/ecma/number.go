package ecma

import (
	"github.com/dop251/goja"
)

// installNumber corrects how goja writes negative numbers: toString in bases other
// than 10 loses the sign between -1 and 0, and toPrecision and toExponential lose
// the first digit where rounding makes it one more, as of -96867619 to one digit.
// The positive number is written right, so these methods write that, and a sign.
func (e *Environment) installNumber() {
	proto := e.rt.GlobalObject().Get("Number").(*goja.Object).Get("prototype").(*goja.Object)
	for _, name := range []string{"toString", "toPrecision", "toExponential"} {
		original, _ := goja.AssertFunction(proto.Get(name))
		e.define(proto, name, 1, func(call goja.FunctionCall) goja.Value {
			if number, negative := negativeNumber(call.This); negative {
				text := e.must(original(e.rt.ToValue(-number), call.Arguments...))
				return e.rt.ToValue("-" + text.String())
			}

			return e.must(original(call.This, call.Arguments...))
		})
	}
}

// negativeNumber returns the value of a number, or a Number object, that is below 0.
func negativeNumber(v goja.Value) (number float64, negative bool) {
	if object, ok := v.(*goja.Object); ok && object.ClassName() != "Number" {
		return 0, false
	}
	switch v.Export().(type) {
	case int64, float64:
		number = v.ToFloat()
	}

	return number, number < 0
}
