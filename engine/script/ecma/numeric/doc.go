// Package numeric runs those loops of a script in Go that do nothing but calculate:
// goja takes some 100 ns for a step that adds an element to a sum, this package 10.
//
//	loop's syntax tree ─► Compile ─► Loop      nil for a loop that does anything else
//	variables and arrays ─► Run ─► variables   or no answer: the script's own loop runs
//
// A Loop knows numbers only, as ECMAScript has them: IEEE doubles. All that it changes
// are variables, and it changes them when it is through. So a loop that meets something
// else, such as a text among the elements, has no effect; the script's own loop then does
// it from the start, and does what JavaScript does with it.
//
//  1. Compile gives each variable a register and makes a closure of each expression.
//  2. Run puts the variables from outside into the registers, and calls the closures.
//  3. Its caller writes the registers of the variables that the loop assigns back.
//
// To add an operator or a function of Math: binary or mathFunctions in expression.go;
// TestRandomCalculations of package ecma compares random loops with goja's own.
package numeric
