package format

import (
	"encoding/json"
	"strconv"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// class says where a cell comes from; it is also the order of Parquet columns.
type class uint8

const (
	named  class = iota // by the script
	key                 // of a row
	value               // of a row
	column              // of ctx.writeRow, or beyond the names
	line                // ctx.writeLine
)

// cell is one field of a row.
type cell struct {
	class class
	index int // within its class; -1 for the only one
	datum []byte
}

func (c cell) name(columns []string) string {
	if c.class == named {
		return columns[c.index]
	}

	// A cell of an array has its position behind the word, counted from 1.
	base := [...]string{"", "key", "value", "column", "line"}[c.class]
	if c.index < 0 {
		return base
	}
	return base + strconv.Itoa(c.index+1)
}

// appendRow appends the cells of a key and a value.
func appendRow(cells []cell, rowKey, rowValue []byte, columns []string) []cell {
	// The elements of an array key are cells of their own.
	if isArray(rowKey) {
		index := 0
		for element := range datum.Elements(rowKey) {
			cells = append(cells, cell{key, index, element})
			index++
		}
	} else {
		cells = append(cells, cell{key, -1, rowKey})
	}
	return rename(append(cells, cell{value, -1, rowValue}), columns)
}

// appendRecord appends the cells of an array.
func appendRecord(cells []cell, array []byte, columns []string) []cell {
	index := 0
	for element := range datum.Elements(array) {
		cells = append(cells, cell{column, index, element})
		index++
	}
	return rename(cells, columns)
}

// rename gives cells the names that the script has, if it has any.
func rename(cells []cell, columns []string) []cell {
	for i := range cells {
		// Without names all cells stay as they are; beyond the names they count as columns.
		if i < len(columns) {
			cells[i].class, cells[i].index = named, i
		} else if columns != nil {
			cells[i].class, cells[i].index = column, i
		}
	}
	return cells
}

func isArray(d []byte) bool { return len(d) > 0 && datum.Kind(d[0]) == datum.Array }

// isEmpty reports whether a cell is empty: null, undefined, or no datum at all.
func isEmpty(d []byte) bool {
	return len(d) == 0 || datum.Kind(d[0]) == datum.Null || datum.Kind(d[0]) == datum.Undefined
}

// quote returns a name as JSON.
func quote(name string) []byte {
	quoted, _ := json.Marshal(name) // a string always can be
	return quoted
}
