// Package bundle compiles a script. In goes its text, or its path; out comes an
// immutable Bundle, which any number of runtimes run, or an *Error in the places
// of the script's own source.
//
// Compile:
//
//  1. A script of plain global functions gets a last line that exports them.
//  2. esbuild bundles it with all its imports, takes the types out of TypeScript
//     and the ES modules out of JavaScript, which goja does not know. Names such
//     as "stats" are modules of the host itself (lib/).
//  3. The source map is rewritten to the names that messages use, and to columns
//     as editors count them.
//  4. goja parses and compiles the result.
//
// To add a module to the library: put NAME.js into lib/, and declare it in
// package declare.
package bundle
