package datafile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
)

// csv parses a table as RFC 4180 has it: cells separated by commas; what holds a comma,
// a quote or the end of a line stands in quotes, where "" is a quote. Lines end in LF,
// CRLF or CR; inside quotes CRLF becomes LF. Empty lines are no rows.
func (p *parser) csv() (Item, error) {
	// encoding/csv does not know the line ends of old spreadsheets.
	if !bytes.ContainsRune(p.text, '\n') {
		p.text = bytes.ReplaceAll(p.text, []byte("\r"), []byte("\n"))
	}

	// The number of cells is checked here, with a message that says more.
	reader := csv.NewReader(bytes.NewReader(p.text))
	reader.FieldsPerRecord = -1
	reader.ReuseRecord = true

	made := table{parser: p, otherSeparators: ";\t"}
	for {
		cells, err := reader.Read()
		if err == io.EOF {
			return made.finish()
		}
		if failed, ok := errors.AsType[*csv.ParseError](err); ok {
			message := "this is no CSV: " + failed.Err.Error()
			if failed.StartLine != failed.Line {
				message += ", in the row that begins in line " + strconv.Itoa(failed.StartLine)
			}
			return Item{}, &Error{failed.Line, max(failed.Column, 1), message}
		}

		line, _ := reader.FieldPos(0)
		if err := made.add(line, cells); err != nil {
			return Item{}, err
		}
	}
}

// tsv parses a table as tmrun writes it: cells separated by tabs, with \t, \n, \r and \\
// for these characters inside a cell. Quotes are characters like any other. Empty lines
// are no rows.
func (p *parser) tsv() (Item, error) {
	made := table{parser: p, otherSeparators: ",;"}
	line := 0
	for text := range strings.Lines(string(p.text)) {
		line++
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
		if text == "" {
			continue
		}

		cells := strings.Split(text, "\t")
		for i, cell := range cells {
			cells[i] = unescapeCell.Replace(cell)
		}
		if err := made.add(line, cells); err != nil {
			return Item{}, err
		}
	}
	return made.finish()
}

// unescapeCell undoes what package format does to a cell of TSV.
var unescapeCell = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r")

// table collects the rows of a table.
type table struct {
	*parser
	names      []string // nil before the header
	headerLine int
	// otherSeparators are those that files of other kinds have between cells.
	otherSeparators string
	rows            []Item
	cells           []Item // of the row at hand
}

// add adds a row that begins in a line. cells may be reused after the call.
func (t *table) add(line int, cells []string) error {
	if t.names == nil {
		t.headerLine = line
		return t.header(line, cells)
	}

	if len(cells) != len(t.names) {
		return &Error{line, 1, "this row has " + cellCount(len(cells)) + ", the header in line " + strconv.Itoa(t.headerLine) + " has " + strconv.Itoa(len(t.names))}
	}

	t.cells = t.cells[:0]
	for _, cell := range cells {
		t.cells = append(t.cells, t.string(cell))
	}

	// All rows have one shape.
	var shape *Shape
	if len(t.rows) > 0 {
		shape = t.rows[0].Node.Shape
	} else {
		shape = newShape(t.names)
	}
	t.rows = append(t.rows, Item{Node: t.node(Node{File: t.file, Shape: shape, Items: t.items(t.cells)})})
	return nil
}

// header sets the names of the columns.
func (t *table) header(line int, cells []string) error {
	first := make(map[string]int, len(cells))
	for i, cell := range cells {
		name := strings.Clone(cell)
		if earlier, ok := first[name]; ok {
			return &Error{line, 1, "columns " + strconv.Itoa(earlier+1) + " and " + strconv.Itoa(i+1) + " are both called " + strconv.Quote(name)}
		}
		first[name] = i
		t.names = append(t.names, name)
	}

	// Some programs write another separator into files of this kind.
	if len(cells) == 1 && strings.ContainsAny(cells[0], t.otherSeparators) {
		t.file.Warnings = append(t.file.Warnings, &Error{line, 1, "the header is a single column, " + strconv.Quote(cells[0]) + ": cells of .csv are separated by commas, those of .tsv by tabs"})
	}
	return nil
}

// finish returns the rows.
func (t *table) finish() (Item, error) {
	if t.names == nil {
		return Item{}, &Error{1, 1, "the file is empty: its first line must name the columns"}
	}
	return t.array(t.rows), nil
}

func cellCount(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return strconv.Itoa(n) + " cells"
}
