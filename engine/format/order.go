package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
)

// OrderColumn is a column that rows are ordered by.
type OrderColumn struct {
	Name       string
	Descending bool
}

// ParseOrder reads `column`, `column:asc` or `column:desc`, several with commas.
func ParseOrder(text string) ([]OrderColumn, error) {
	var columns []OrderColumn
	for part := range strings.SplitSeq(text, ",") {
		name, direction := cutDirection(part)
		column := OrderColumn{Name: name, Descending: direction == "desc"}
		if column.Name == "" {
			return nil, fmt.Errorf("%q names no column: write COLUMN or COLUMN:desc", text)
		}
		columns = append(columns, column)
	}
	return columns, nil
}

// cutDirection splits a direction off a column; other colons belong to its name.
func cutDirection(part string) (name, direction string) {
	for _, direction := range []string{"asc", "desc"} {
		if name, ok := strings.CutSuffix(part, ":"+direction); ok {
			return name, direction
		}
	}
	return part, ""
}

// OrderError is returned for a column that rows do not have.
type OrderError struct {
	Column string
	There  []string // the columns that there are
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("there is no column %q to order by: there are %s", e.Column, strings.Join(e.There, ", "))
}

// OrderOptions say which rows an Order passes on.
type OrderOptions struct {
	By      []OrderColumn // the first decides first; none: the order of the job
	Limit   int64         // rows; 0 is no limit
	Columns []string      // the names that the script exports; nil if it does not
	Memory  int64         // bytes of rows that stay in memory
	Dir     string        // for the others; "" is the system's temporary folder
}

// Order is a Sink that passes rows to another one, in the order of some columns, and no
// more than a limit. What the job writes before its first key passes as it is.
//
// Values are compared by their kinds (false, true, numbers, strings, arrays, objects),
// then by value. What is no value stands last in both directions: NaN, null, then
// undefined with cells that a row does not have. Rows that are equal in all columns stay
// in the order of the job.
type Order struct {
	engine.Sink
	options OrderOptions
	places  []cell // of the columns; without data
	seen    []bool // whether a row had the column

	preamble bool // the job has not come to its first key
	rows     int64
	cells    []cell
	key      []byte
	row      []byte
	passed   int64 // rows behind the preamble that the sink got
	dropped  int64 // and that it did not get

	top   *topRows  // of a small limit
	store *rowStore // of all others
}

// maxTopRows is up to which limit the rows are in a heap: those of a larger one are
// sorted, with the memory that sorting may have.
const maxTopRows = 10_000

// NewOrder returns an Order that writes to sink. The error is an *OrderError for a
// column that no row can have.
func NewOrder(sink engine.Sink, options OrderOptions) (*Order, error) {
	made := &Order{Sink: sink, options: options, preamble: true, seen: make([]bool, len(options.By))}
	for _, column := range options.By {
		place, ok := placeOf(column.Name, options.Columns)
		if !ok {
			return nil, &OrderError{column.Name, possibleColumns(options.Columns)}
		}
		made.places = append(made.places, place)
	}

	switch {
	case len(options.By) == 0:
	case options.Limit > 0 && options.Limit <= maxTopRows:
		made.top = &topRows{limit: int(options.Limit)}
	default:
		made.store = newRowStore(options)
	}
	return made, nil
}

// placeOf returns which cell a column's name means.
func placeOf(name string, columns []string) (place cell, ok bool) {
	if at := slices.Index(columns, name); at >= 0 {
		return cell{class: named, index: at}, true
	}

	// Beyond the script's names, or without any, cells have those of their place.
	classes := []class{key, value, column}
	if columns != nil {
		classes = []class{column}
	}
	for _, class := range classes {
		digits, found := strings.CutPrefix(name, cell{class: class, index: -1}.name(nil))
		number, err := strconv.Atoi(digits)
		switch {
		case !found:
		case digits == "" && class != column:
			return cell{class: class, index: -1}, true
		case err == nil && number > len(columns) && class != value && strconv.Itoa(number) == digits:
			return cell{class: class, index: number - 1}, true
		}
	}
	return cell{}, false
}

// possibleColumns names the columns that rows may have.
func possibleColumns(columns []string) []string {
	if columns != nil {
		return columns
	}
	return []string{"key (key1, key2, … of an array)", "value", "column1, column2, … (of ctx.writeRow)"}
}

// The kinds of rows in a store.
const (
	pairRow byte = iota
	recordRow
	csvRow
)

// Row implements engine.Sink.
func (o *Order) Row(rowKey, rowValue []byte) error {
	if pass, done := o.passes(); pass || done {
		if done {
			return nil
		}
		return o.Sink.Row(rowKey, rowValue)
	}

	o.cells = appendRow(o.cells[:0], rowKey, rowValue, o.options.Columns)
	return o.keep(pairRow, rowKey, rowValue)
}

// Record implements engine.Sink.
func (o *Order) Record(array []byte) error { return o.record(recordRow, array) }

// CSVRecord implements engine.Sink.
func (o *Order) CSVRecord(array []byte) error { return o.record(csvRow, array) }

func (o *Order) record(kind byte, array []byte) error {
	if pass, done := o.passes(); pass || done {
		if done {
			return nil
		}
		return o.write(kind, array, nil)
	}

	o.cells = appendRecord(o.cells[:0], array, o.options.Columns)
	return o.keep(kind, array, nil)
}

// Line implements engine.Sink. Behind the first key a line cannot be ordered.
func (o *Order) Line(text []byte) error {
	switch pass, done := o.passes(); {
	case done:
		return nil
	case pass:
		return o.Sink.Line(text)
	}
	return errors.New("a line of ctx.writeLine has no columns to order by: write rows (ctx.write, ctx.writeRow), or heads in setupReduce")
}

// EndPreamble implements engine.Sink.
func (o *Order) EndPreamble() error {
	o.preamble = false
	return o.Sink.EndPreamble()
}

// passes reports whether a row goes to the sink at once, or (done) nowhere, because the
// limit is reached.
func (o *Order) passes() (pass, done bool) {
	switch {
	case o.preamble:
		return true, false
	case len(o.options.By) > 0:
		return false, false
	case o.options.Limit > 0 && o.passed == o.options.Limit:
		o.dropped++
		return false, true
	}
	o.passed++
	return true, false
}

// Dropped returns how many rows the limit has kept from the sink, once Close has returned.
func (o *Order) Dropped() int64 { return o.dropped }

// keep holds a row, whose cells are o.cells, until all rows are there.
func (o *Order) keep(kind byte, first, second []byte) error {
	// Bytes that sort as the rows do: the columns, then the number of the row.
	o.key = o.key[:0]
	for i, place := range o.places {
		field, ok := find(o.cells, place)
		o.seen[i] = o.seen[i] || ok
		o.key = appendOrder(o.key, field, o.options.By[i].Descending)
	}
	o.key = binary.BigEndian.AppendUint64(o.key, uint64(o.rows))
	o.rows++

	if o.top != nil && !o.top.wants(o.key) {
		return nil
	}

	o.row = append(o.row[:0], kind)
	o.row = append(binary.AppendUvarint(o.row, uint64(len(first))), first...)
	o.row = append(o.row, second...)
	if o.top != nil {
		o.top.add(o.key, o.row)
		return nil
	}
	return o.store.add(o.key, o.row)
}

// find returns the datum of the cell at a place.
func find(cells []cell, place cell) (field []byte, ok bool) {
	for i := range cells {
		if cells[i].class == place.class && cells[i].index == place.index {
			return cells[i].datum, true
		}
	}
	return nil, false
}

// The first byte of a cell's order: values before NaN, null and undefined.
const (
	orderValue byte = iota
	orderNaN
	orderNull
	orderUndefined
)

// appendOrder appends bytes that sort as a cell does. Those of one cell are never the
// beginning of another one's, so that more may stand behind them.
func appendOrder(dst, field []byte, descending bool) []byte {
	switch {
	case len(field) == 0 || datum.Kind(field[0]) == datum.Undefined:
		return append(dst, orderUndefined)
	case datum.Kind(field[0]) == datum.Null:
		return append(dst, orderNull)
	case datum.Kind(field[0]) == datum.Number && math.IsNaN(datum.Float(field)):
		return append(dst, orderNaN)
	}

	dst = append(dst, orderValue)
	start := len(dst)
	dst = append(dst, field...)
	if descending {
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// write writes a row to the sink.
func (o *Order) write(kind byte, first, second []byte) error {
	switch kind {
	case recordRow:
		return o.Sink.Record(first)
	case csvRow:
		return o.Sink.CSVRecord(first)
	}
	return o.Sink.Row(first, second)
}

// passRow writes a row that was held, and reports whether more may follow.
func (o *Order) passRow(row []byte) (more bool, err error) {
	size, width := binary.Uvarint(row[1:])
	fields := row[1+width:]
	o.passed++
	err = o.write(row[0], fields[:size], fields[size:])
	return o.options.Limit == 0 || o.passed < o.options.Limit, err
}

// Close implements engine.Sink: it writes the rows, and closes the sink. The error is
// an *OrderError for a column that no row had.
func (o *Order) Close() error {
	for i, seen := range o.seen {
		if !seen && o.rows > 0 {
			o.Discard()
			var there []string
			for _, cell := range o.cells {
				there = append(there, cell.name(o.options.Columns))
			}
			return &OrderError{o.options.By[i].Name, there}
		}
	}

	var err error
	switch {
	case o.top != nil:
		err = o.top.each(o.passRow)
	case o.store != nil:
		err = o.store.each(o.passRow)
	}
	o.Discard()
	if err != nil {
		return err
	}
	if len(o.options.By) > 0 {
		o.dropped = o.rows - o.passed
	}
	return o.Sink.Close()
}

// Discard frees what Close would write. It may be called again.
func (o *Order) Discard() {
	if o.store != nil {
		o.store.close()
	}
}
