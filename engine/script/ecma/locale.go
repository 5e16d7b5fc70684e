package ecma

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/dop251/goja"
	"golang.org/x/text/cases"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

var nan = math.NaN()

// firstGregorian is the first year in which people count as Date does. For the years
// before it a language has another calendar.
const firstGregorian = 1583

// installLocale replaces the methods that depend on a language. There is one
// language for numbers and dates, American English, as in a V8 without another
// setting; asking for others, and for options that are not here, throws.
func (e *Environment) installLocale() {
	global := e.rt.GlobalObject()
	prototype := func(class string) *goja.Object {
		return global.Get(class).(*goja.Object).Get("prototype").(*goja.Object)
	}

	e.define(prototype("Number"), "toLocaleString", 0, e.numberToLocaleString)
	e.define(prototype("BigInt"), "toLocaleString", 0, e.bigIntToLocaleString)
	e.define(prototype("String"), "localeCompare", 1, e.localeCompare)
	for _, name := range []string{"toLocaleLowerCase", "toLocaleUpperCase"} {
		e.replaceLocaleCase(prototype("String"), name)
	}
	for name, form := range map[string]string{
		"toLocaleString": "1/2/2006, 3:04:05 PM", "toLocaleDateString": "1/2/2006", "toLocaleTimeString": "3:04:05 PM",
	} {
		e.define(prototype("Date"), name, 0, func(call goja.FunctionCall) goja.Value {
			e.needEnglish(name, call.Argument(0))
			e.options(name, call.Argument(1), "timeZone")
			at, valid := e.dateOf(call.This, name)
			if !valid {
				return e.rt.ToValue("Invalid Date")
			}
			if at.Year() < firstGregorian || at.Year() > 9999 {
				e.throw("RangeError", name+" is not supported for the year "+strconv.Itoa(at.Year()))
			}

			return e.rt.ToValue(at.Format(form))
		})
	}
}

// needEnglish throws unless the argument locales is missing or English.
func (e *Environment) needEnglish(method string, locales goja.Value) {
	for _, tag := range e.tags(locales) {
		if base, _ := tag.Base(); base.String() == "en" && (tag == language.English || tag == language.AmericanEnglish) {
			return
		}
		e.throw("RangeError", fmt.Sprintf("%s is not supported for %s, only for en-US", method, tag))
	}
}

// tags reads an argument locales, a text or a list of texts; none for undefined.
func (e *Environment) tags(locales goja.Value) (tags []language.Tag) {
	if goja.IsUndefined(locales) {
		return nil
	}
	// The argument is one name or a list of names.
	list := []string{locales.String()}
	if object, ok := locales.(*goja.Object); ok {
		list = nil
		for i := range toLength(object.Get("length")) {
			list = append(list, object.Get(strconv.Itoa(i)).String())
		}
	}

	for _, name := range list {
		tag, err := language.Parse(name)
		if err != nil || len(name) < 2 || strings.Contains(name, "_") {
			e.throw("RangeError", "Incorrect locale information provided: "+name)
		}
		tags = append(tags, tag)
	}

	return tags
}

// options reads an argument options, and throws for names that are not supported.
func (e *Environment) options(method string, v goja.Value, supported ...string) map[string]goja.Value {
	if goja.IsUndefined(v) {
		return nil
	}
	object := v.ToObject(e.rt)
	options := map[string]goja.Value{}
	for _, name := range object.Keys() {
		value := object.Get(name)
		if goja.IsUndefined(value) {
			continue
		}
		options[name] = value
	}
	for name, value := range options {
		known := false
		for _, s := range supported {
			known = known || s == name
		}
		if !known || name == "timeZone" && value.String() != "UTC" {
			e.throw("RangeError", fmt.Sprintf("%s does not support the option %s: %s", method, name, value))
		}
	}

	return options
}

// numberToLocaleString writes a number with groups of three digits and at most
// three after the point.
func (e *Environment) numberToLocaleString(call goja.FunctionCall) goja.Value {
	e.needEnglish("toLocaleString", call.Argument(0))
	options := e.options("toLocaleString", call.Argument(1), "minimumFractionDigits", "maximumFractionDigits", "useGrouping")
	if object, ok := call.This.(*goja.Object); ok && object.ClassName() != "Number" {
		panic(e.rt.NewTypeError("Number.prototype.toLocaleString needs a number"))
	}

	// Without options there are at most three digits behind the point.
	least, most := 0, 3
	if v, ok := options["minimumFractionDigits"]; ok {
		least = e.digits("minimumFractionDigits", v)
		most = max(most, least)
	}
	if v, ok := options["maximumFractionDigits"]; ok {
		most = e.digits("maximumFractionDigits", v)
		if _, given := options["minimumFractionDigits"]; given && least > most {
			e.throw("RangeError", "maximumFractionDigits value is out of range.")
		}
		least = min(least, most)
	}
	grouped := true
	if v, ok := options["useGrouping"]; ok {
		grouped = v.ToBoolean() && v.String() != "false"
	}

	return e.rt.ToValue(formatNumber(call.This.ToFloat(), least, most, grouped))
}

// digits reads a number of digits, 0 to 100.
func (e *Environment) digits(name string, v goja.Value) int {
	f := v.ToFloat()
	if !(f >= 0 && f <= 100) {
		e.throw("RangeError", name+" value is out of range.")
	}

	return int(f)
}

func (e *Environment) bigIntToLocaleString(call goja.FunctionCall) goja.Value {
	e.needEnglish("toLocaleString", call.Argument(0))
	e.options("toLocaleString", call.Argument(1))
	text := call.This.String()
	sign := strings.HasPrefix(text, "-")
	text = group3(strings.TrimPrefix(text, "-"))
	if sign {
		text = "-" + text
	}

	return e.rt.ToValue(text)
}

// formatNumber writes f in American English.
func formatNumber(f float64, least, most int, grouped bool) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "∞"
	case math.IsInf(f, -1):
		return "-∞"
	}

	// V8 rounds the shortest text that reads back as the number, half away from 0.
	text := strconv.FormatFloat(math.Abs(f), 'f', -1, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > most {
		whole, fraction = roundDecimal(whole, fraction, most)
	}
	fraction = strings.TrimRight(fraction, "0")
	for len(fraction) < least {
		fraction += "0"
	}

	if grouped {
		whole = group3(whole)
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if math.Signbit(f) {
		whole = "-" + whole
	}

	return whole
}

// roundDecimal rounds a decimal number to digits behind the point.
func roundDecimal(whole, fraction string, digits int) (string, string) {
	// The digits as one number, with a zero before it for a carry.
	number := []byte("0" + whole + fraction[:digits])
	if fraction[digits] >= '5' {
		i := len(number) - 1
		for number[i] == '9' {
			number[i] = '0'
			i--
		}
		number[i]++
	}

	point := len(number) - digits
	whole = strings.TrimLeft(string(number[:point]), "0")
	if whole == "" {
		whole = "0"
	}

	return whole, string(number[point:])
}

// group3 puts a comma between groups of three digits.
func group3(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}

	return digits
}

// localeCompare compares by the rules of a language, the root's if none is given.
func (e *Environment) localeCompare(call goja.FunctionCall) goja.Value {
	if goja.IsUndefined(call.This) || goja.IsNull(call.This) {
		panic(e.rt.NewTypeError("String.prototype.localeCompare needs a string"))
	}
	// Of several languages the first one counts.
	tag := language.AmericanEnglish
	if tags := e.tags(call.Argument(1)); len(tags) > 0 {
		tag = tags[0]
	}
	options := e.options("localeCompare", call.Argument(2), "numeric", "sensitivity", "usage")

	// Making a collator takes far longer than comparing, so there is one for each
	// combination of language and options.
	key := tag.String()
	var how []collate.Option
	left, right := toString(call.This).String(), toString(call.Argument(0)).String()
	if v, ok := options["numeric"]; ok && v.ToBoolean() {
		left, right = sortableNumbers(left), sortableNumbers(right)
	}
	if v, ok := options["usage"]; ok && v.String() != "sort" && v.String() != "search" {
		e.throw("RangeError", "Value "+v.String()+" out of range for the option usage")
	}
	if v, ok := options["sensitivity"]; ok {
		key += " " + v.String()
		switch v.String() {
		case "base":
			how = append(how, collate.IgnoreCase, collate.IgnoreDiacritics)
		case "accent":
			how = append(how, collate.IgnoreCase)
		case "variant":
		default: // "case" too, which the library has only together with accents
			e.throw("RangeError", "localeCompare does not support the sensitivity "+v.String())
		}
	}

	collator := e.collators[key]
	if collator == nil {
		collator = collate.New(tag, how...)
		if e.collators == nil {
			e.collators = map[string]*collate.Collator{}
		}
		e.collators[key] = collator
	}

	return e.rt.ToValue(collator.CompareString(left, right))
}

// digitRuns finds the numbers in a text.
var digitRuns = regexp.MustCompile(`[0-9]+`)

// sortableNumbers puts its length before each number in a text, so that texts sort
// by the numbers' values. The collator's own option for this sorts 0 wrong.
func sortableNumbers(text string) string {
	return digitRuns.ReplaceAllStringFunc(text, func(number string) string {
		number = strings.TrimLeft(number, "0")
		length := len(number)

		return strings.Repeat("9", length/9) + strconv.Itoa(length%9) + number
	})
}

// replaceLocaleCase replaces toLocaleLowerCase or toLocaleUpperCase, which goja has
// for no language but the root's.
func (e *Environment) replaceLocaleCase(proto *goja.Object, name string) {
	original, _ := goja.AssertFunction(proto.Get(name))
	e.define(proto, name, 0, func(call goja.FunctionCall) goja.Value {
		tags := e.tags(call.Argument(0))
		if len(tags) == 0 {
			return e.must(original(call.This))
		}
		caser := cases.Lower(tags[0], cases.HandleFinalSigma(true))
		if name == "toLocaleUpperCase" {
			caser = cases.Upper(tags[0])
		}

		return e.rt.ToValue(caser.String(toString(call.This).String()))
	})
}
