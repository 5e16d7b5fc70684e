package ecma

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// dateForms are the texts that Date takes: those of ECMAScript, and the older ones
// that browsers agree on. goja takes more, and others than V8: it makes the year
// 94636 of a build ID. What is not in the list is an invalid date.
var dateForms = []*regexp.Regexp{
	// ECMAScript's, and with a space in place of the T.
	regexp.MustCompile(`^([+-]\d{6}|\d{4})(-\d\d(-\d\d)?)?$`),
	regexp.MustCompile(`^([+-]\d{6}|\d{4})-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$`),
	// What toString, toUTCString and HTTP write.
	regexp.MustCompile(`^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ` + month + ` \d\d \d{4} \d\d:\d\d:\d\d GMT[+-]\d{4}( \([^()]*\))?$`),
	regexp.MustCompile(`^((Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d\d? ` + month + ` \d{4}( \d\d:\d\d(:\d\d)?( (GMT|UTC|Z|[+-]\d{4}))?)?$`),
	// What people write.
	regexp.MustCompile(`^` + month + ` \d\d?, \d{4}( \d\d:\d\d(:\d\d)?)?$`),
	regexp.MustCompile(`^\d\d?/\d\d?/\d{4}( \d\d:\d\d(:\d\d)?)?$`),
}

const month = `(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)`

// installDate replaces the constructor of dates, and the methods that write them
// otherwise than ECMAScript and V8 do.
func (e *Environment) installDate() {
	global := e.rt.GlobalObject()
	original := global.Get("Date").(*goja.Object)
	proto := original.Get("prototype").(*goja.Object)
	parse, _ := goja.AssertFunction(original.Get("parse"))

	parseText := func(text goja.String) goja.Value {
		for _, form := range dateForms {
			if form.MatchString(text.String()) {
				return e.must(parse(original, text))
			}
		}

		return e.rt.ToValue(nan)
	}

	// The new constructor makes goja's dates, of arguments that it has looked at.
	constructor := e.rt.ToValue(func(call goja.ConstructorCall) *goja.Object {
		arguments := call.Arguments
		if len(arguments) == 1 {
			arguments = []goja.Value{e.dateArgument(arguments[0], parseText)}
		}
		// A subclass has its own prototype.
		date := e.make(original, arguments...)
		if call.NewTarget != nil {
			if own, ok := call.NewTarget.Get("prototype").(*goja.Object); ok && own != proto {
				date.SetPrototype(own)
			}
		}

		return date
	}).(*goja.Object)
	// All else of the constructor stays goja's.
	constructor.DefineDataProperty("name", e.rt.ToValue("Date"), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	constructor.DefineDataProperty("length", e.rt.ToValue(7), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	constructor.DefineDataProperty("prototype", proto, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	for _, name := range []string{"now", "UTC"} {
		constructor.DefineDataProperty(name, original.Get(name), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	e.define(constructor, "parse", 1, func(call goja.FunctionCall) goja.Value { return parseText(toString(call.Argument(0))) })
	proto.DefineDataProperty("constructor", constructor, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	global.DefineDataProperty("Date", constructor, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)

	// goja does not tell a constructor whether it was called with new, so Prepare
	// sends calls without to this function.
	now := e.function("Date", 0, func(goja.FunctionCall) goja.Value { return e.rt.ToValue(e.make(constructor).String()) })
	global.DefineDataProperty(hiddenDate, now, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)

	e.replaceISO(proto)
	e.replaceZone(proto, "toString")
	e.replaceZone(proto, "toTimeString")
}

// dateArgument turns the one argument of Date into what goja's Date takes in the
// same sense: a date and a number as they are, a text parsed.
func (e *Environment) dateArgument(v goja.Value, parse func(goja.String) goja.Value) goja.Value {
	if object, ok := v.(*goja.Object); ok {
		if object.ClassName() == "Date" {
			return v
		}
		v = e.primitive(object)
	}
	if text, ok := v.(goja.String); ok {
		return parse(text)
	}

	return v
}

// primitive is ToPrimitive without a hint.
func (e *Environment) primitive(object *goja.Object) goja.Value {
	// An object may say itself how it becomes a primitive value.
	if convert, ok := goja.AssertFunction(orUndefined(object.GetSymbol(goja.SymToPrimitive))); ok {
		return e.must(convert(object, e.rt.ToValue("default")))
	}
	for _, name := range []string{"valueOf", "toString"} {
		method, ok := goja.AssertFunction(orUndefined(object.Get(name)))
		if !ok {
			continue
		}
		v := e.must(method(object))
		if _, isObject := v.(*goja.Object); !isObject {
			return v
		}
	}

	panic(e.rt.NewTypeError("Cannot convert object to primitive value"))
}

// dateOf returns the time of a date, and whether it is one that is valid.
func (e *Environment) dateOf(this goja.Value, method string) (at time.Time, valid bool) {
	object, ok := this.(*goja.Object)
	if !ok || object.ClassName() != "Date" {
		panic(e.rt.NewTypeError("Date.prototype.%s needs a Date", method))
	}
	valueOf, _ := goja.AssertFunction(object.Get("getTime"))
	v := e.must(valueOf(object))
	if goja.IsNaN(v) {
		return time.Time{}, false
	}

	return time.UnixMilli(v.ToInteger()).UTC(), true
}

// replaceISO replaces toISOString, which writes years beyond 9999 and before 0 with
// a sign and six digits. toJSON calls it.
func (e *Environment) replaceISO(proto *goja.Object) {
	e.define(proto, "toISOString", 0, func(call goja.FunctionCall) goja.Value {
		at, valid := e.dateOf(call.This, "toISOString")
		if !valid {
			e.throw("RangeError", "Invalid time value")
		}

		year := fmt.Sprintf("%04d", at.Year())
		if at.Year() > 9999 || at.Year() < 0 {
			year = fmt.Sprintf("%+07d", at.Year())
		}

		return e.rt.ToValue(year + at.Format("-01-02T15:04:05.000Z"))
	})
}

// replaceZone makes a method name UTC as V8 does.
func (e *Environment) replaceZone(proto *goja.Object, name string) {
	original, _ := goja.AssertFunction(proto.Get(name))
	e.define(proto, name, 0, func(call goja.FunctionCall) goja.Value {
		text := e.must(original(call.This))

		return e.rt.ToValue(strings.Replace(text.String(), "(UTC)", "(Coordinated Universal Time)", 1))
	})
}
