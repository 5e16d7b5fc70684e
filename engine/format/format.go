// Package format writes what reducers produce as TSV, CSV, JSON lines or
// Parquet. Every format is an engine.Sink; a row's cells are the elements of an
// array key (or the key), then the value.
//
// Names of cells: those that the script exports as `columns`, in order; without
// them "key" (or "key1", "key2", … for an array key), "value", and "column1", …
// for ctx.writeCSV. Rows need not have the same width:
//
//	tsv, csv  a row has the cells it has; a first line with names only if the script exports columns
//	jsonl     an object with the cells it has; ctx.writeLine's text as it is if it is JSON, else {"line": text}
//	parquet   a column for every name that occurs, keys first, null where a row lacks it
//
// A Parquet column is BOOLEAN, INT64, DOUBLE or a string; JSON if arrays or
// objects occur in it, and a string if scalars of several kinds do.
//
// To add a format: write a Sink, add it to New and to Names.
package format

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
)

// Names are the formats that New knows.
var Names = []string{"tsv", "csv", "jsonl", "parquet"}

// extensions map a file's ending to its format, where it differs.
var extensions = map[string]string{"ndjson": "jsonl", "pq": "parquet"}

// Of returns the format that a file's ending asks for, "tsv" if none does.
func Of(path string) string {
	ext := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	if f, ok := extensions[ext]; ok {
		return f
	}
	if slices.Contains(Names, ext) {
		return ext
	}
	return "tsv"
}

// New returns the sink of a format. columns may be nil; dir is for temporary
// data, "" is the system's folder. The error says which formats or columns there may be.
func New(name string, w io.Writer, columns []string, dir string) (engine.Sink, error) {
	for i, c := range columns {
		if slices.Contains(columns[:i], c) {
			return nil, fmt.Errorf("columns: %q occurs twice", c)
		}
	}
	switch name {
	case "tsv":
		t := engine.NewTSV(w)
		if columns != nil {
			if err := t.Line([]byte(strings.Join(columns, "\t"))); err != nil {
				return nil, err
			}
		}
		return t, nil
	case "csv":
		return newCSV(w, columns)
	case "jsonl":
		return newJSONL(w, columns), nil
	case "parquet":
		return newParquet(w, columns, dir), nil
	}
	return nil, fmt.Errorf("no format %q: there are %s", name, strings.Join(Names, ", "))
}

// class says where a cell comes from; it is also the order of Parquet columns.
type class uint8

const (
	named  class = iota // by the script
	key                 // of a row
	value               // of a row
	column              // of ctx.writeCSV, or beyond the names
	line                // ctx.writeLine
)

// cell is one field of a row.
type cell struct {
	class class
	index int // within its class; -1 for the only one
	datum []byte
}

func (c cell) name(columns []string) string {
	base := [...]string{"", "key", "value", "column", "line"}[c.class]
	switch {
	case c.class == named:
		return columns[c.index]
	case c.index < 0:
		return base
	}
	return base + strconv.Itoa(c.index+1)
}

// appendRow appends the cells of a key and a value.
func appendRow(cells []cell, k, v []byte, columns []string) []cell {
	if len(k) > 0 && datum.Kind(k[0]) == datum.Array {
		n := 0
		for d := range datum.Elements(k) {
			cells = append(cells, cell{key, n, d})
			n++
		}
	} else {
		cells = append(cells, cell{key, -1, k})
	}
	return rename(append(cells, cell{value, -1, v}), columns)
}

// appendRecord appends the cells of an array.
func appendRecord(cells []cell, array []byte, columns []string) []cell {
	n := 0
	for d := range datum.Elements(array) {
		cells = append(cells, cell{column, n, d})
		n++
	}
	return rename(cells, columns)
}

// rename gives cells the names that the script has, if it has any.
func rename(cells []cell, columns []string) []cell {
	for i := range cells {
		if i < len(columns) {
			cells[i].class, cells[i].index = named, i
		} else if columns != nil {
			cells[i].class, cells[i].index = column, i
		}
	}
	return cells
}

func quote(name string) []byte {
	b, _ := json.Marshal(name) // a string always can be
	return b
}
