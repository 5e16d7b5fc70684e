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

// This file foresees sources that would end the process: esbuild and goja parse
// by recursion, and Go gives up when a stack has used 1 GB, which nothing can
// catch. esbuild dies of 100,000 arrows or 300,000 parentheses (2026-11-28).
//
// It replaces a child process that compiles first. Every program and test that
// compiles scripts would need a command for it, each file of more than 300 kB
// would be compiled twice, and a process that has died has no place in the
// source to report. The scanner need not be exact, because people and bundlers
// write hundreds of levels: taking a regular expression for a division costs a
// few counts.
//
// TestNesting has the shapes that would end the process, TestNestingOfLongSources
// those that must pass, BenchmarkCompile its share of compiling.

// maxNesting is how many tokens of a source file may be inside of each other, or in
// one expression.
const maxNesting = 5_000

// checkNesting returns an *Error for text that nests too deep, else nil.
func checkNesting(name, text string) error {
	at := tooDeep(text)
	if at < 0 {
		return nil
	}

	// Places count characters, not bytes, as editors do.
	lineStart := strings.LastIndexByte(text[:at], '\n') + 1
	return &Error{
		File: name, Phase: "compile",
		Line: strings.Count(text[:at], "\n") + 1, Column: utf8.RuneCountInString(text[lineStart:at]) + 1,
		Message: fmt.Sprintf("this nests too deep, or is one expression of more than %d parts", maxNesting),
	}
}

// nesting checks the files that a script imports.
var nesting = api.Plugin{Name: "nesting", Setup: func(b api.PluginBuild) {
	sources := api.OnLoadOptions{Filter: `\.[mc]?[jt]s$`, Namespace: "file"}
	b.OnLoad(sources, func(a api.OnLoadArgs) (res api.OnLoadResult, err error) {
		text, err := os.ReadFile(a.Path)
		if err != nil {
			return res, nil // esbuild will say so
		}
		if e, ok := errors.AsType[*Error](checkNesting(a.Path, string(text))); ok {
			place := &api.Location{File: a.Path, Line: e.Line, Column: e.Column - 1}
			res.Errors = []api.Message{{Text: e.Message, Location: place}}
		}
		return res, nil
	})
}}

// tooDeep returns where text exceeds maxNesting, or -1.
func tooDeep(text string) int {
	scanner := nestingScanner{text: text, levels: []level{{}}}
	for scanner.at < len(text) {
		start := scanner.at
		scanner.token()
		if scanner.parts+len(scanner.levels) > maxNesting {
			return start
		}
	}

	return -1
}

// level is an open bracket, or the file.
type level struct {
	parts    int  // tokens of its latest statement or element
	template bool // it is the ${ of a template
}

// nestingScanner knows just enough of JavaScript, TypeScript and JSON to pass over
// strings, comments and regular expressions.
type nestingScanner struct {
	text   string
	at     int // offset of the next token
	levels []level
	parts  int // of all levels

	afterOperand bool // so that a slash divides
	inTemplate   bool // in the text of a template
}

// token passes over the next token and counts it.
func (s *nestingScanner) token() {
	char, start := s.text[s.at], s.at
	s.at++

	// In the order of what takes precedence: text, comments, brackets, tokens.
	switch {
	case char == '`':
		s.afterOperand = s.inTemplate
		s.inTemplate = !s.inTemplate
	case s.inTemplate:
		s.templateText(char)
	case char <= ' ':
	case char == '/' && s.follows("/"):
		s.skipBehind("\n")
	case char == '/' && s.follows("*"):
		s.at++
		s.skipBehind("*/")
	case char == ';' || char == ',':
		s.afterOperand = false
		s.endPart()
	case char == '(' || char == '[' || char == '{':
		s.open(false)
	case char == ')' || char == ']' || char == '}':
		s.close(char)
	case char == '"' || char == '\'' || char == '/' && !s.afterOperand:
		s.skipQuoted(char)
		s.afterOperand = true
		s.part()
	case isWord(char):
		for s.at < len(s.text) && isWord(s.text[s.at]) {
			s.at++
		}
		s.afterOperand = !slices.Contains(beforeOperands, s.text[start:s.at])
		s.part()
	default: // an operator
		s.afterOperand = false
		s.part()
	}
}

// templateText passes over a byte of a template's text that is no backquote.
func (s *nestingScanner) templateText(c byte) {
	switch {
	case c == '\\':
		s.at++
	case c == '$' && s.follows("{"):
		s.at++
		s.open(true)
	}
}

// open begins a level.
func (s *nestingScanner) open(template bool) {
	s.levels = append(s.levels, level{template: template})
	s.afterOperand, s.inTemplate = false, false
}

// close ends a level, which counts as one part of the level around it.
func (s *nestingScanner) close(bracket byte) {
	top := s.top()
	s.afterOperand = bracket != '}'
	s.inTemplate = top.template
	if len(s.levels) > 1 {
		s.parts -= top.parts
		s.levels = s.levels[:len(s.levels)-1]
	}

	s.part()

	endsStatement := bracket == '}' && !s.inTemplate // most often
	if endsStatement {
		s.endPart()
	}
}

func (s *nestingScanner) top() *level { return &s.levels[len(s.levels)-1] }

// part counts a token.
func (s *nestingScanner) part() {
	s.top().parts++
	s.parts++
}

// endPart ends a statement or an element, unless else continues it.
func (s *nestingScanner) endPart() {
	const near = 100 // bytes in which else is looked for
	next := strings.TrimLeft(s.text[s.at:min(len(s.text), s.at+near)], " \t\r\n")
	if strings.HasPrefix(next, "else") {
		return
	}
	s.parts -= s.top().parts
	s.top().parts = 0
}

func (s *nestingScanner) follows(text string) bool { return strings.HasPrefix(s.text[s.at:], text) }

// skipBehind moves behind the next end.
func (s *nestingScanner) skipBehind(end string) {
	found := strings.Index(s.text[min(s.at, len(s.text)):], end)
	if found < 0 {
		s.at = len(s.text)
		return
	}
	s.at += found + len(end)
}

// skipQuoted moves behind the string or the regular expression that has begun, to
// the end of its line at most.
func (s *nestingScanner) skipQuoted(quote byte) {
	inClass := false // of a regular expression: [/] does not end it
	for s.at < len(s.text) && s.text[s.at] != '\n' {
		char := s.text[s.at]
		s.at++
		switch {
		case char == '\\':
			s.at++
		case char == quote && !inClass:
			return
		case quote == '/':
			inClass = char == '[' || inClass && char != ']'
		}
	}

	s.at = min(s.at, len(s.text))
}

// beforeOperands are the words after which a slash begins a regular expression.
var beforeOperands = []string{"return", "typeof", "case", "in", "of", "void", "delete", "do", "else"}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf
}
