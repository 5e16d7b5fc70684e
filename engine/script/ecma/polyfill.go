package ecma

import (
	"embed"
	"regexp"
	"sync"

	"github.com/aitgithub/telemetry-server/engine/script/ecma/numeric"
	"github.com/dop251/goja"
)

//go:embed polyfill/*.js
var polyfillFiles embed.FS

// polyfill is a file of functions that goja lacks and JavaScript can do. It is
// loaded where a script has one of the words, because a runtime is made for every
// task and loading all would take longer than many tasks.
type polyfill struct {
	name  string // of the file
	words *regexp.Regexp
	load  func() *goja.Program
}

// polyfills is the list of them. The iterator helpers have the names of the methods
// of arrays, so the words are what makes an iterator.
var polyfills = []polyfill{
	newPolyfill("group.js", `\b(groupBy|getOrInsert\w*)\b`),
	newPolyfill("promise.js", `\b(fromAsync|withResolvers|Promise)\b`),
	newPolyfill("text.js", `\b(isWellFormed|toWellFormed)\b`),
	newPolyfill("sum.js", `\bsumPrecise\b`),
	newPolyfill("iterator.js", `\b(Iterator|iterator|matchAll|yield)\b|\.(values|entries|keys|next)\(`),
	newPolyfill("clone.js", `\bstructuredClone\b`),
}

func newPolyfill(name, words string) polyfill {
	return polyfill{name: name, words: regexp.MustCompile(words), load: sync.OnceValue(func() *goja.Program {
		// Each polyfill is one function, so that its names stay its own.
		text := "(function () {\n\"use strict\"\n" + polyfillText("common.js") + polyfillText(name) + "})()"
		parsed, err := goja.Parse(name, text)
		if err == nil {
			_, err = rewriteCalls(parsed)
		}
		if err != nil {
			panic("the built-in polyfill: " + err.Error())
		}
		program, err := goja.CompileAST(parsed, true)
		if err != nil {
			panic("the built-in polyfill: " + err.Error())
		}

		return program
	})}
}

func polyfillText(name string) string {
	text, err := polyfillFiles.ReadFile("polyfill/" + name)
	if err != nil {
		panic(err) // it is part of the program
	}

	return string(text)
}

// Features is what a script needs of this package, as Prepare finds it. The zero
// value is for a script without regular expressions and without newer functions.
type Features struct {
	regExp    bool
	source    bool // eval, Function
	json      bool
	arrays    bool // puts arrays into arrays
	date      bool
	number    bool
	locale    bool
	loops     bool // over arrays, by index
	polyfills []int

	calculations []*numeric.Loop // loops that only calculate
}

var (
	regExpWords = regexp.MustCompile(`\b(RegExp|match|matchAll|search|isWellFormed|toWellFormed)\b`)
	sourceWords = regexp.MustCompile(`\b(eval|\w*Function|constructor)\b`)
	numberWords = regexp.MustCompile(`\b(toString|toPrecision|toExponential)\b`)
	dateWord    = regexp.MustCompile(`\bDate\b`)
	localeWords = regexp.MustCompile(`\b(toLocale\w*|localeCompare)\b`)
	// An array can only get deep where one is assigned, returned or changed. What
	// JSON.parse makes is not deep enough to matter.
	arrayWords  = regexp.MustCompile(`(=|return|=>|[?:])\s*\(*\s*\[|\]\s*=[^=]|\b(push|unshift|concat|splice|fill|with|Array|reduce|reduceRight)\b`)
	objectLists = regexp.MustCompile(`\bObject\.(keys|values|entries)\(`)
	jsonWord    = regexp.MustCompile(`\b(JSON|parse|stringify)\b`)
)

// featuresOf finds what a script's text has words for. A word in a comment or a
// string counts too, which costs some time and changes nothing.
func featuresOf(text string) Features {
	f := Features{
		regExp: regExpWords.MatchString(text),
		source: sourceWords.MatchString(text),
		json:   jsonWord.MatchString(text),
		arrays: arrayWords.MatchString(text),
		date:   dateWord.MatchString(text),
		number: numberWords.MatchString(text),
		locale: localeWords.MatchString(text),
	}

	// The functions of Object return arrays and not iterators.
	text = objectLists.ReplaceAllString(text, "")
	for i, p := range polyfills {
		// Text that is compiled at run time may have any word.
		if f.source || p.words.MatchString(text) {
			f.polyfills = append(f.polyfills, i)
		}
	}
	if f.source {
		f.arrays = true
		f.regExp, f.json, f.date, f.number, f.locale = true, true, true, true, true
	}

	return f
}

// installPolyfills defines the functions that the script has words for.
func (e *Environment) installPolyfills(indexes []int) {
	for _, i := range indexes {
		if _, err := e.rt.RunProgram(polyfills[i].load()); err != nil {
			panic("the built-in polyfill " + polyfills[i].name + ": " + err.Error())
		}
	}
}
