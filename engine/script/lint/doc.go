// Package lint says what is wrong with a script before it runs. In goes its
// text; out come findings in the order of the source. It compiles the script and
// runs its top level, then walks the syntax tree of the script alone.
//
// To add a check: add a case to checker.enter.
package lint
