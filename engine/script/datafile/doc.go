// Package datafile parses the data files that scripts import: JSON, JSON lines, CSV
// and TSV. In goes the text of a file; out comes a File, which every runtime of the
// process reads and none can change, or an *Error with its place in the text.
//
//	text ──► Parse ──► File ──► value: a view in each runtime that reads it
//
// Parse:
//
//  1. The ending of the name says which kind of file it is. A mark of UTF-8 at the
//     beginning is left out; what is not UTF-8 is an error.
//  2. JSON becomes nodes: an object or an array each, with its names in the order of
//     the document. Objects with the same names share the list of them.
//  3. Tables become an array of objects, with names from the header. Their cells stay
//     strings.
//
// NewResult makes a File of the rows of a job, for another job.
//
// Index finds the objects of an array by the values of their members. It is made once
// for the process, too.
//
// To add a kind of file: name its ending in kinds, with its parser, and describe it in
// docs/scripts.md, which TestKindsAreDocumented compares; an ending that editors do not
// know needs its module in package declare (types.go).
package datafile
