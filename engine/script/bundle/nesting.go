package bundle

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/evanw/esbuild/pkg/api"
)

// maxNesting is how many tokens of a source file may be inside of each other, or in
// one expression. Parsers recurse, and a Go program whose stack is used up dies: a
// million parentheses are enough. What people and bundlers write has hundreds.
const maxNesting = 5_000

// checkNesting returns an *Error for text that nests too deep, else nil.
func checkNesting(name, text string) error {
	at := tooDeep(text)
	if at < 0 {
		return nil
	}
	start := strings.LastIndexByte(text[:at], '\n') + 1
	return &Error{
		File: name, Phase: "compile", Line: strings.Count(text[:at], "\n") + 1, Column: utf8.RuneCountInString(text[start:at]) + 1,
		Message: fmt.Sprintf("this nests too deep, or is one expression of more than %d parts", maxNesting),
	}
}

// nesting checks the files that a script imports.
var nesting = api.Plugin{Name: "nesting", Setup: func(b api.PluginBuild) {
	b.OnLoad(api.OnLoadOptions{Filter: `\.([mc]?[jt]s|json)$`, Namespace: "file"},
		func(a api.OnLoadArgs) (res api.OnLoadResult, err error) {
			text, err := os.ReadFile(a.Path)
			if err != nil {
				return res, nil // esbuild will say so
			}
			if e, ok := errors.AsType[*Error](checkNesting(a.Path, string(text))); ok {
				res.Errors = []api.Message{{Text: e.Message, Location: &api.Location{
					File: a.Path, Line: e.Line, Column: e.Column - 1, LineText: e.Excerpt,
				}}}
			}
			return res, nil
		})
}}

// tooDeep returns where text exceeds maxNesting, or -1. It knows just enough of
// JavaScript, TypeScript and JSON to pass over strings, comments and regular
// expressions; taking one for the other costs a few counts, which does not matter.
func tooDeep(text string) int {
	type level struct { // an open bracket
		parts    int  // tokens of its latest statement or element
		template bool // it is the ${ of a template
	}
	levels := []level{{}}
	top := &levels[0]
	total := 0       // parts of all levels
	operand := false // an operand comes before: a slash divides
	inText := false  // of a template
	push := func(template bool) {
		levels = append(levels, level{template: template})
		top, operand, inText = &levels[len(levels)-1], false, false
	}
	endPart := func(i int) {
		if !strings.HasPrefix(strings.TrimLeft(text[i:min(len(text), i+100)], " \t\r\n"), "else") {
			total -= top.parts
			top.parts = 0
		}
	}
	for i := 0; i < len(text); {
		c, start := text[i], i
		i++
		switch {
		case inText && c == '\\':
			i++
		case inText && c == '$' && strings.HasPrefix(text[i:], "{"):
			i++
			push(true)
		case c == '`':
			inText, operand = !inText, inText
		case inText || c <= ' ':
		case c == '/' && strings.HasPrefix(text[i:], "/"):
			i = after(text, i, "\n")
		case c == '/' && strings.HasPrefix(text[i:], "*"):
			i = after(text, i+1, "*/")
		case c == ';' || c == ',':
			operand = false
			endPart(i)
		case c == '(' || c == '[' || c == '{':
			push(false)
		case c == ')' || c == ']' || c == '}':
			operand, inText = c != '}', top.template
			if len(levels) > 1 {
				total -= top.parts
				levels = levels[:len(levels)-1]
				top = &levels[len(levels)-1]
			}
			top.parts++
			total++
			if c == '}' && !inText {
				endPart(i) // most often that of a statement
			}
		default:
			switch {
			case c == '"' || c == '\'' || c == '/' && !operand:
				i = quoted(text, start)
				operand = true
			case isWord(c):
				for i < len(text) && isWord(text[i]) {
					i++
				}
				operand = !slices.Contains(beforeOperands, text[start:i])
			default:
				operand = false
			}
			top.parts++
			total++
		}
		if total+len(levels) > maxNesting {
			return start
		}
	}
	return -1
}

// beforeOperands are the words after which a slash begins a regular expression.
var beforeOperands = []string{"return", "typeof", "case", "in", "of", "void", "delete", "do", "else"}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf
}

// after returns the index behind the next end in text from i.
func after(text string, i int, end string) int {
	if k := strings.Index(text[min(i, len(text)):], end); k >= 0 {
		return i + k + len(end)
	}
	return len(text)
}

// quoted returns the index behind the string or regular expression that begins at i,
// and ends at the end of its line at the latest.
func quoted(text string, i int) int {
	quote, class := text[i], false
	for i++; i < len(text) && text[i] != '\n'; i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == quote && !class:
			return i + 1
		case quote == '/':
			class = c == '[' || class && c != ']'
		}
	}
	return min(i, len(text))
}
