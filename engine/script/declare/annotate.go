package declare

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Annotate adds types to what a script exports: comments in JavaScript (ext
// ".js"), annotations in TypeScript.
func Annotate(text, ext string) string {
	inComments := ext == ".js"
	for _, export := range exports {
		text = export.annotate(text, inComments)
	}

	const reference = "/// <reference path=\"./types.d.ts\" />\n"
	if inComments {
		return "// @ts-check\n" + reference + text
	}

	return reference + text
}

// annotate adds the type of one export.
func (e Export) annotate(text string, inComments bool) string {
	// A constant of a built-in type needs no help.
	if e.Constant() && !declared(e.Result) {
		return text
	}

	start, typ := fmt.Sprintf(`(?m)^export const %s = `, e.Name), qualified(e.Result)
	if !e.Constant() {
		names := strings.TrimSuffix(strings.Repeat(`(\w+), `, len(e.Parameters)), ", ")
		start, typ = fmt.Sprintf(`(?m)^export function %s\(%s\)`, e.Name, names), "tm."+e.typeName()
	}

	// Only a declaration at the start of a line is an export.
	pattern := regexp.MustCompile(start)

	switch {
	case inComments:
		return pattern.ReplaceAllString(text, "/** @type {"+typ+"} */\n$0")
	case e.Constant():
		return pattern.ReplaceAllString(text, "export const "+e.Name+": "+typ+" = ")
	}

	var parameters []string
	for i, parameter := range e.Parameters {
		parameters = append(parameters, fmt.Sprintf("$%d: %s", i+1, qualified(parameter.Type)))
	}

	return pattern.ReplaceAllString(text, "export function "+e.Name+"("+strings.Join(parameters, ", ")+")")
}

// declared reports whether a type is one of namespace tm.
func declared(typ string) bool { return unicode.IsUpper(rune(typ[0])) }

// qualified returns a type as it is named outside of namespace tm.
func qualified(typ string) string {
	if declared(typ) {
		return "tm." + typ
	}
	return typ
}
