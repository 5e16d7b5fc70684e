// Package bundle compiles a script. In goes its text and its path; out comes an
// immutable Bundle, which any number of runtimes run, or an *Error in the places
// of the script's own source.
//
// Compile:
//
//  1. A source that nests so deep that parsing it would end the process is an
//     error, here and in each import.
//  2. A script of plain global functions gets a last line that exports them.
//  3. esbuild bundles it with all its imports. It removes the types of TypeScript
//     and the ES modules of JavaScript, which goja does not know. Names such as
//     "stats" are modules of the library in lib/. A data file becomes a module that
//     takes its value from the host (data.go); package datafile parses it here, once.
//     So does the result of another job (job.go), which its caller runs first.
//  4. What esbuild writes for exports is made cheaper, because each task pays it.
//  5. The source map is rewritten to the names that messages use, and to columns
//     as editors count them.
//  6. goja parses and compiles the result.
//
// To add a module to the library: write lib/NAME.js, and declare it with all its
// exports in package declare. TestLibraryIsDeclared fails without either, and
// script.TestModulesAreDeclared for an export that is missing on one side.
package bundle
