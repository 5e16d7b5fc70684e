package tables

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Table declares one aggregation. It does not change once the job runs, and is then safe
// for concurrent use.
type Table struct {
	Name string   // as the script exports it
	Kind string   // a name of Kinds
	Keys []string // names of the key columns; of kind rows, of all columns

	Of          []float64 // of quantiles, from 0 to 1
	Size        int       // of top and sample: rows per key
	Percentiles []float64 // of histograms, from 0 to 100
	Mode        Mode      // of histograms' percentiles

	Show   []string // names of the result columns, in the order of the output; nil: the usual ones
	Header bool     // TSV and CSV begin with the names of the columns

	// Written says that a script writes the rows: it gets those with the same first Group
	// key columns together.
	Written bool
	Group   int
	// Each is the number of the key column that holds the names of members.
	Each int

	// Bounds returns the lower bounds of the buckets of a bucketing such as "exponential 1
	// to 10000", nil if that says nothing of them. Nil: none are known.
	Bounds func(bucketing string, buckets int) []int

	spec  *kind
	shown []int // of the result's cells, in the order of the output; nil: all
	// showsPlaces says that percentiles or buckets of histograms are among them.
	showsPlaces bool
}

// Set is the tables of a job, in the order in which they were declared: the place of a
// table is its number in keys.
type Set []*Table

// Written reports whether a script writes the rows of the tables.
func (s Set) Written() bool { return len(s) > 0 && s[0].Written }

// Grouped reports whether rows are written only when all keys of a group were reduced:
// those of top, and those that a script writes. One task must reduce all keys then, in
// order, where it is the keys that say which rows come first.
func (s Set) Grouped() bool {
	return s.Written() || slices.ContainsFunc(s, func(t *Table) bool { return t.Kind == "top" })
}

// Find returns the number of the table with that name, -1 if no table has it.
func (s Set) Find(name string) int {
	return slices.IndexFunc(s, func(t *Table) bool { return t.Name == name })
}

// Names returns the names of the tables.
func (s Set) Names() (names []string) {
	for _, t := range s {
		names = append(names, t.Name)
	}
	return names
}

// What tables have unless a script says otherwise.
var (
	defaultOf          = []float64{0.25, 0.5, 0.75}
	defaultPercentiles = []float64{25, 50, 75, 95}
)

const (
	defaultSize = 10
	// maxSize bounds the rows per key of top and sample, which lie in memory.
	maxSize = 100_000
)

// Complete checks the declaration and fills in what it leaves out. The error says what is
// wrong with it.
func (t *Table) Complete() error {
	// The kind decides what else may be declared.
	at := slices.IndexFunc(kinds, func(k kind) bool { return k.name == t.Kind })
	if at < 0 {
		return fmt.Errorf("there is no kind of table %q: there are %s", t.Kind, strings.Join(Kinds(), ", "))
	}
	t.spec = &kinds[at]

	if t.spec.value == RowCells && len(t.Keys) == 0 {
		return fmt.Errorf("%s needs the names of its columns", t.Kind)
	}

	if err := t.completeGroup(); err != nil {
		return err
	}
	if err := t.completeNumbers(); err != nil {
		return err
	}
	return t.completeColumns()
}

// completeGroup checks which rows a script gets together.
func (t *Table) completeGroup() error {
	switch {
	case !t.Written && t.Group != 0:
		return errors.New("group: it says which rows write gets, and there is no write")
	case !t.Written:
		return nil
	case t.spec.make == nil:
		return fmt.Errorf("write: %s are written as they are added", t.Kind)
	}

	// By default the rows of one value of the first column belong together.
	if t.Group == 0 {
		t.Group = 1
	}
	if t.Group < 0 || t.Group >= len(t.Keys) {
		return fmt.Errorf("group: %d of %d key columns: it must leave at least one", t.Group, len(t.Keys))
	}
	return nil
}

// completeNumbers checks the numbers, and fills in those that are missing.
func (t *Table) completeNumbers() error {
	// Quantiles, as shares of 1.
	if t.Of == nil {
		t.Of = defaultOf
	}
	for _, of := range t.Of {
		if !(of >= 0 && of <= 1) {
			return fmt.Errorf("of: %v is not between 0 and 1", of)
		}
	}

	// Percentiles, as shares of 100.
	if t.Percentiles == nil {
		t.Percentiles = defaultPercentiles
	}
	for _, percentile := range t.Percentiles {
		if !(percentile >= 0 && percentile <= 100) {
			return fmt.Errorf("percentiles: %v is not between 0 and 100", percentile)
		}
	}

	// How a percentile is placed in its bucket.
	if t.Mode == "" {
		t.Mode = Linear
	}
	if !slices.Contains(Modes(), t.Mode) {
		return fmt.Errorf("mode: %q is none of %q", t.Mode, Modes())
	}

	// How many rows a key of top and of sample may have.
	if t.Size == 0 {
		t.Size = defaultSize
	}
	if t.Size < 1 || t.Size > maxSize {
		return fmt.Errorf("size: %d is not between 1 and %d", t.Size, maxSize)
	}
	return nil
}

// completeColumns finds which results are shown, and checks that names are different.
func (t *Table) completeColumns() error {
	// By default all results are shown but those that the kind hides.
	results := t.spec.results(t)
	if t.Show == nil && t.spec.hidden != nil {
		for _, name := range results {
			if !slices.Contains(t.spec.hidden, name) {
				t.Show = append(t.Show, name)
			}
		}
	}

	// Note where each shown result is, and whether any needs the places of buckets.
	for _, name := range t.Show {
		at := slices.Index(results, name)
		if at < 0 {
			return fmt.Errorf("show: %s has no %q: it has %s", t.Kind, name, strings.Join(results, ", "))
		}
		t.shown = append(t.shown, at)
		t.showsPlaces = t.showsPlaces || name == "buckets" || strings.HasPrefix(name, "p") && name != "pings"
	}

	// Columns are found by name, so no two may have the same.
	columns := t.Columns()
	for i, name := range columns {
		if slices.Contains(columns[:i], name) {
			return fmt.Errorf("two columns have the name %q", name)
		}
	}
	return nil
}

// Columns returns the names of the columns: the keys, then what is shown of the results.
func (t *Table) Columns() []string {
	if t.Show != nil {
		return slices.Concat(t.Keys, t.Show)
	}
	return slices.Concat(t.Keys, t.spec.results(t))
}

// Takes returns what add takes beside the keys.
func (t *Table) Takes() Value { return t.spec.value }

// percent returns a number for the name of a column: 0.5 of 1 is "50".
func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e9)/1e9, 'f', -1, 64)
}
