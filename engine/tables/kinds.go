package tables

import "github.com/aitgithub/telemetry-server/engine/datum"

// Value is what the add of a table takes beside its keys.
type Value int

const (
	Nothing        Value = iota // the keys are all there is
	Number                      // a finite number
	Scalar                      // a string, a number or a boolean, or an array of these
	Anything                    // what a value may be
	HistogramValue              // a stored histogram with its bucketing
	RowCells                    // nothing beside the columns, which are no keys but a row
)

// kind is one kind of aggregation.
type kind struct {
	name    string
	value   Value
	results func(t *Table) []string // names of the result's cells
	hidden  []string                // results that are shown only if Table.Show names them
	make    func(t *Table) aggregate
	counted bool // a partial result begins with the number of numbers
	// more is how many data follow the keys in a key of the shuffle.
	more int
}

// aggregate is a result that grows. Of the same values it is the same, whatever their
// order and however they were merged before.
type aggregate interface {
	// merge adds a partial result, which it does not keep. Errors are ErrPartial.
	merge(partial []byte) error
	// append appends the partial result: equal results have equal bytes.
	append(b []byte) []byte
	// bytes is about what the result takes in memory.
	bytes() int
}

// kinds is the table of kinds. Those without make have no aggregate: rows are written as
// they are.
var kinds = []kind{
	{name: "count", value: Nothing, results: names("count"),
		make: func(*Table) aggregate { return &count{} }},
	{name: "sum", value: Number, counted: true, results: names("sum"),
		make: func(*Table) aggregate { return &sum{} }},
	{name: "mean", value: Number, counted: true, results: names("n", "mean", "stddev"),
		make: func(*Table) aggregate { return &moments{} }},
	{name: "min", value: Number, results: names("min"),
		make: func(*Table) aggregate { return &extreme{} }},
	{name: "max", value: Number, results: names("max"),
		make: func(*Table) aggregate { return &extreme{greatest: true} }},
	{name: "quantiles", value: Number, counted: true, results: resultsOfQuantiles,
		make: func(t *Table) aggregate { return &quantiles{of: t.Of} }},
	{name: "distinct", value: Scalar, results: names("distinct"),
		make: func(*Table) aggregate { return &distinct{} }},
	{name: "top", value: Scalar, results: names("value", "count"), more: 1,
		make: func(*Table) aggregate { return &count{} }},
	{name: "sample", value: Anything, results: names("id", "value"),
		make: func(t *Table) aggregate { return &sample{size: t.Size} }},
	{name: "histograms", value: HistogramValue, results: resultsOfHistograms, hidden: []string{"length", "numbers"}, more: 3,
		make: func(t *Table) aggregate { return &histogram{table: t} }},
	{name: "rows", value: RowCells, results: names()},
}

// Kinds returns the names of the kinds.
func Kinds() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// names returns results that are the same for all tables of a kind.
func names(results ...string) func(*Table) []string {
	return func(*Table) []string { return results }
}

// resultsOfQuantiles names them as percentiles: p50, p99.9.
func resultsOfQuantiles(t *Table) []string {
	results := []string{"n"}
	for _, of := range t.Of {
		results = append(results, "p"+percent(100*of))
	}
	return results
}

// resultsOfHistograms names what histogram.rowOf appends.
func resultsOfHistograms(t *Table) []string {
	results := []string{"bucketing", "length", "pings", "samples", "sum", "mean"}
	for _, percentile := range t.Percentiles {
		results = append(results, "p"+percent(percentile))
	}
	return append(results, "buckets", "numbers")
}

// celled are the aggregates whose result is one row that depends on nothing else.
type celled interface {
	aggregate
	cells(b []byte) []byte
}

// appendShown appends those of the cells that the table shows.
func (t *Table) appendShown(b, cells []byte) ([]byte, error) {
	if t.shown == nil {
		return append(b, cells...), nil
	}

	// Find where each cell begins, because the table may show them in another order.
	all := make([][]byte, 0, 16)
	for len(cells) > 0 {
		cell, rest, err := datum.Skip(cells)
		if err != nil {
			return b, err
		}
		all = append(all, cell)
		cells = rest
	}

	for _, at := range t.shown {
		b = append(b, all[at]...)
	}
	return b, nil
}
