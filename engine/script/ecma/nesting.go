package ecma

import (
	"fmt"
	"strconv"

	"github.com/dop251/goja"
)

// maxNesting bounds the arrays and objects inside each other that the functions
// below go into. goja's own call themselves once a level, and Go ends the process,
// with everything else that it does, when a stack is full. It takes a few hundred
// thousand levels for that; no data of people nest a thousand deep.
const maxNesting = 10_000

// tooDeep is the message for what nests deeper.
var tooDeep = fmt.Sprintf("more than %d arrays or objects inside each other", maxNesting)

// guardJSON guards JSON.parse and JSON.stringify.
func (e *Environment) guardJSON() {
	json := e.rt.GlobalObject().Get("JSON").(*goja.Object)
	e.guardParse(json)
	e.guardStringify(json)
}

// guardArrays guards the methods that go into arrays.
func (e *Environment) guardArrays() {
	arrayProto := e.rt.GlobalObject().Get("Array").(*goja.Object).Get("prototype").(*goja.Object)
	e.guardFlat(arrayProto)
	for _, name := range []string{"join", "toString", "toLocaleString"} {
		e.guardMethod(arrayProto, name)
	}
}

// guardMethod counts the calls of a method that are inside each other: join of an
// array calls toString of an array in it, and that join.
func (e *Environment) guardMethod(proto *goja.Object, name string) {
	original, _ := goja.AssertFunction(proto.Get(name))
	length := int(proto.Get(name).(*goja.Object).Get("length").ToInteger())

	e.define(proto, name, length, func(call goja.FunctionCall) goja.Value {
		if e.nesting == maxNesting {
			e.throw("RangeError", tooDeep)
		}
		e.nesting++
		defer func() { e.nesting-- }()

		return e.must(original(call.This, call.Arguments...))
	})
}

// guardParse refuses text that nests too deep before goja parses it.
func (e *Environment) guardParse(json *goja.Object) {
	original, _ := goja.AssertFunction(json.Get("parse"))

	e.define(json, "parse", 2, func(call goja.FunctionCall) goja.Value {
		arguments := append([]goja.Value(nil), call.Arguments...)
		if len(arguments) > 0 {
			arguments[0] = toString(arguments[0])
			if depthOfJSON(arguments[0].String()) > maxNesting {
				e.throw("SyntaxError", "JSON with "+tooDeep)
			}
		}

		return e.must(original(call.This, arguments...))
	})
}

// depthOfJSON returns how many arrays and objects are inside each other at most.
// In text that is no JSON it may be wrong: parsing that fails anyway, and goes no
// deeper than the brackets that are counted here.
func depthOfJSON(text string) (deepest int) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}

	return deepest
}

// guardStringify gives goja's stringify a replacer, which sees each object before
// its members: the objects between the first one and the present one are a stack.
func (e *Environment) guardStringify(json *goja.Object) {
	original, _ := goja.AssertFunction(json.Get("stringify"))

	e.define(json, "stringify", 3, func(call goja.FunctionCall) goja.Value {
		value, replacer, space := call.Argument(0), call.Argument(1), call.Argument(2)
		if _, isObject := value.(*goja.Object); !isObject {
			return e.must(original(call.This, call.Arguments...))
		}
		replace, isFunction := goja.AssertFunction(replacer)
		if _, isList := replacer.(*goja.Object); isList && !isFunction {
			// goja does not take both. A list of names leaves few members, and those
			// are looked at first.
			e.must(original(call.This, value, e.nestingReplacer(nil)))
			return e.must(original(call.This, call.Arguments...))
		}

		return e.must(original(call.This, value, e.nestingReplacer(replace), space))
	})
}

// nestingReplacer returns a replacer for JSON.stringify that does what replace does
// (nil: nothing) and throws where objects nest too deep.
func (e *Environment) nestingReplacer(replace goja.Callable) goja.Value {
	var holders []*goja.Object

	return e.rt.ToValue(func(call goja.FunctionCall) goja.Value {
		// The objects above the holder are done.
		holder, _ := call.This.(*goja.Object)
		for len(holders) > 0 && holders[len(holders)-1] != holder {
			holders = holders[:len(holders)-1]
		}
		if len(holders) == 0 {
			holders = append(holders, holder)
		}

		// The script's own replacer comes first: what it returns is what has members.
		v := call.Argument(1)
		if replace != nil {
			v = e.must(replace(call.This, call.Arguments...))
		}
		if object, ok := v.(*goja.Object); ok {
			holders = append(holders, object)
		}
		if len(holders) > maxNesting {
			e.throw("RangeError", tooDeep)
		}

		return v
	})
}

// guardFlat replaces flat where its depth allows what goja's cannot bear.
func (e *Environment) guardFlat(arrayProto *goja.Object) {
	original, _ := goja.AssertFunction(arrayProto.Get("flat"))

	e.define(arrayProto, "flat", 0, func(call goja.FunctionCall) goja.Value {
		depth := int64(1)
		if v := call.Argument(0); !goja.IsUndefined(v) {
			depth = v.ToInteger()
		}
		if depth > maxNesting {
			var flat []any
			e.flatten(call.This.ToObject(e.rt), 0, &flat)
			return e.rt.NewArray(flat...)
		}

		return e.must(original(call.This, call.Arguments...))
	})
}

// flatten appends the elements of an array, and of all arrays in it.
func (e *Environment) flatten(array *goja.Object, depth int, flat *[]any) {
	if depth > maxNesting {
		e.throw("RangeError", tooDeep)
	}

	for i := range toLength(array.Get("length")) {
		v := array.Get(strconv.Itoa(i))
		if v == nil {
			continue // a hole
		}
		if inner, ok := v.(*goja.Object); ok && inner.ClassName() == "Array" {
			e.flatten(inner, depth+1, flat)
		} else {
			*flat = append(*flat, v)
		}
	}
}
