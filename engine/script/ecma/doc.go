// Package ecma puts into a goja runtime what goja lacks of ECMAScript, or has
// different: regular expressions, and guards around the functions that go so deep
// into nested data or source text that Go would end the process.
//
//	syntax tree ─► Prepare ─► goja.CompileAST      regular expressions become calls
//	runtime ─────► Install ─► Environment          RegExp, JSON, flat, eval … are ours
//
// Where a function cannot do what ECMAScript says it throws an error that says so:
// no answer is better than one that is silently another one.
//
// TestRandomPatternsAgainstNode and its likes compare with Node, whose V8 is the
// reference; where V8 itself departs from the standard the test says how.
package ecma
