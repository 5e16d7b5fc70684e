// Package format writes what reducers produce as TSV, CSV, JSON lines or
// Parquet. Every format is an engine.Sink; a row's cells are the elements of an
// array key (or the key), then the value.
//
// Names of cells: those that the script exports as `columns`, in order; without
// them "key" (or "key1", "key2", … for an array key), "value", and "column1", …
// for ctx.writeRow. Rows need not have the same width:
//
//	tsv, csv  a row has the cells it has; a first line with names only if the script exports columns
//	jsonl     an object with the cells it has; ctx.writeLine's text as it is if it is JSON, else {"line": text}
//	parquet   a column for every name that occurs, keys first, null where a row lacks it
//
// A Parquet column is BOOLEAN, INT64, DOUBLE or a string; JSON if arrays or
// objects occur in it, and a string if scalars of several kinds do.
//
// An Order before a format sorts the rows by columns, and passes the first of them.
//
// To add a format:
//
//  1. Write a Sink in a file of its own, with a function that opens it.
//  2. Add its entry to the table below. --format, its help text, the guess by the
//     ending of --output and the error for an unknown name come from there.
//  3. Add its row to the table of formats in docs/scripts.md: TestDocumented fails
//     without it.
//  4. Add its reader to readers in format_test.go: TestEveryFormatKeepsRows fails
//     without it.
package format

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/engine"
)

// Format is one way to write rows.
type Format struct {
	Name        string
	Endings     []string // of file names that mean this format, without the dot, in lower case
	Description string   // for docs/scripts.md
	Header      bool     // it begins with a line of the names of columns

	// open returns the sink; see New.
	open func(w io.Writer, columns []string, dir string) (engine.Sink, error)
}

// formats is the table of formats; the first is the default.
var formats = []Format{
	{"tsv", []string{"tsv"}, "cells separated by tabs; a tab, newline, carriage return or backslash inside a cell is `\\t`, `\\n`, `\\r` or `\\\\`; null and undefined are an empty cell", true, openTSV},
	{"csv", []string{"csv"}, "RFC 4180 with plain newlines; null and undefined are an empty cell", true, openCSV},
	{"jsonl", []string{"jsonl", "ndjson"}, "a JSON object for each row", false, openJSONL},
	{"parquet", []string{"parquet", "pq"}, "a column for each name, with a type; compressed with zstd", false, openParquet},
}

// All returns the formats; the first is the default.
func All() []Format { return slices.Clone(formats) }

// Names returns the names of the formats; the first is the default.
func Names() []string {
	var names []string
	for _, format := range formats {
		names = append(names, format.Name)
	}
	return names
}

// HasHeader reports whether a format begins with a line of the names of columns.
func HasHeader(name string) bool {
	return slices.ContainsFunc(formats, func(f Format) bool { return f.Name == name && f.Header })
}

// Of returns the name of the format that a file's ending means, the default for a name
// without an ending. An ending that means none is an error, which says which there are.
func Of(path string) (string, error) {
	ending := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	if ending == "" {
		return formats[0].Name, nil
	}

	var endings []string
	for _, format := range formats {
		if slices.Contains(format.Endings, ending) {
			return format.Name, nil
		}
		endings = append(endings, format.Endings...)
	}
	return "", fmt.Errorf("%s: no format has the ending .%s: there are .%s", path, ending, strings.Join(endings, ", ."))
}

// New returns the sink of a format. columns may be nil; dir is for temporary
// data, "" is the system's folder. The error says which formats or columns there may be.
func New(name string, out io.Writer, columns []string, dir string) (engine.Sink, error) {
	// Columns with the same name could not be told apart in JSON or Parquet.
	for at, column := range columns {
		if slices.Contains(columns[:at], column) {
			return nil, fmt.Errorf("columns: %q occurs twice", column)
		}
	}

	for _, format := range formats {
		if format.Name == name {
			return format.open(out, columns, dir)
		}
	}
	return nil, fmt.Errorf("no format %q: there are %s", name, strings.Join(Names(), ", "))
}

// Continue is New for a file that goes on where another one ends: it has no line of names.
func Continue(name string, out io.Writer, columns []string, dir string) (engine.Sink, error) {
	rest := &later{w: out}
	sink, err := New(name, rest, columns, dir)

	// The line of names is all that a sink of text holds now, and Close writes what it holds.
	if err == nil && HasHeader(name) {
		err = sink.Close()
	}
	rest.begun = true
	return sink, err
}

// later drops what is written before it has begun.
type later struct {
	w     io.Writer
	begun bool
}

// Write implements io.Writer.
func (l *later) Write(b []byte) (int, error) {
	if !l.begun {
		return len(b), nil
	}
	return l.w.Write(b)
}
