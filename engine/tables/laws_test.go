package tables

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// partials draw the partial result of one random value of each kind; those of quantiles
// and distinct often pass the count up to which they are exact.
var partials = map[string]func(*rapid.T, *Table) []byte{
	"count":      func(*rapid.T, *Table) []byte { return AppendOne(nil) },
	"top":        func(*rapid.T, *Table) []byte { return AppendOne(nil) },
	"sum":        drawNumber,
	"mean":       drawNumber,
	"min":        drawNumber,
	"max":        drawNumber,
	"quantiles":  drawNumber,
	"distinct":   func(t *rapid.T, _ *Table) []byte { return AppendDistinct(nil, drawDatum(t)) },
	"sample":     func(t *rapid.T, _ *Table) []byte { return AppendSample(nil, drawDatum(t), drawDatum(t)) },
	"histograms": drawHistogram,
}

func drawNumber(t *rapid.T, table *Table) []byte { return AppendFinite(nil, table, number(t)) }

// number draws a finite number: whole, fractional, tiny, huge.
func number(t *rapid.T) float64 {
	return rapid.OneOf(
		rapid.Map(rapid.IntRange(-1000, 1000), func(i int) float64 { return float64(i) }),
		rapid.Map(rapid.Int64(), func(i int64) float64 { return float64(i) }),
		rapid.Float64Range(-10, 10),
		rapid.SampledFrom([]float64{0.1, -0.1, 1e300, -1e300, 1e-300, 5e-324, 1 << 63, -(1 << 63), math.MaxFloat64, math.Copysign(0, -1)}),
		rapid.Float64(),
	).Draw(t, "number")
}

func drawDatum(t *rapid.T) []byte {
	return datum.AppendNumber(nil, float64(rapid.IntRange(0, 5000).Draw(t, "datum")))
}

func drawHistogram(t *rapid.T, _ *Table) []byte {
	numbers := make([]float64, 4, 9)
	for i := range numbers {
		numbers[i] = float64(rapid.IntRange(0, 300).Draw(t, "count"))
	}
	for range Tail {
		numbers = append(numbers, rapid.SampledFrom([]float64{-1, 0, 1.5, 0.1, 12345678, 1e17}).Draw(t, "sum"))
	}
	b, err := AppendHistogram(nil, numbers, 4)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLaws: of every kind, the same values give the same bytes, however they are split,
// ordered and merged.
func TestLaws(t *testing.T) {
	for _, name := range Kinds() {
		table := &Table{Name: "t", Kind: name, Keys: []string{"key"}, Size: 5}
		if err := table.Complete(); err != nil {
			t.Fatal(err)
		}
		if table.spec.make == nil {
			continue // rows are not merged
		}

		t.Run(name, func(t *testing.T) {
			draw := partials[name]
			if draw == nil {
				t.Fatalf("no values of kind %s: add it to partials", name)
			}
			rapid.Check(t, func(t *rapid.T) {
				// Often more than quantiles and distinct keep as they are.
				var all [][]byte
				for range rapid.IntRange(1, 30).Draw(t, "values") {
					all = append(all, draw(t, table))
				}
				all = slices.Repeat(all, rapid.SampledFrom([]int{1, 2, 100}).Draw(t, "times"))

				want := mergeAll(t, table, all)
				shuffled := rapid.Permutation(all).Draw(t, "order")
				if got := mergeTree(t, table, shuffled); !bytes.Equal(got, want) {
					t.Fatalf("%s of %d values: %x in one way, %x in another", name, len(all), want, got)
				}
			})
		})
	}
}

// mergeAll merges one value after the other.
func mergeAll(t *rapid.T, table *Table, all [][]byte) []byte {
	total := table.spec.make(table)
	for _, partial := range all {
		if err := total.merge(partial); err != nil {
			t.Fatal(err)
		}
	}
	return total.append(nil)
}

// mergeTree merges the results of random parts, and parts of parts.
func mergeTree(t *rapid.T, table *Table, all [][]byte) []byte {
	if len(all) < 4 || rapid.IntRange(0, 4).Draw(t, "leaf") == 0 {
		return mergeAll(t, table, all)
	}
	at := rapid.IntRange(1, len(all)-1).Draw(t, "at")
	return mergeAll(t, table, [][]byte{mergeTree(t, table, all[at:]), mergeTree(t, table, all[:at])})
}

// TestQuantilesAndDistinctPassTheirLimits: the laws hold where parts are still exact and
// the whole is not; TestLaws rarely draws so many different values.
func TestQuantilesAndDistinctPassTheirLimits(t *testing.T) {
	for _, name := range []string{"quantiles", "distinct"} {
		table := &Table{Name: "t", Kind: name, Keys: []string{"key"}}
		if err := table.Complete(); err != nil {
			t.Fatal(err)
		}

		rapid.Check(t, func(t *rapid.T) {
			var all [][]byte
			for i := range rapid.SampledFrom([]int{ExactValues, ExactValues + 1, ExactDistinct, ExactDistinct + 1, 3000}).Draw(t, "values") {
				if name == "distinct" {
					all = append(all, AppendDistinct(nil, datum.AppendNumber(nil, float64(i))))
				} else {
					all = append(all, AppendFinite(nil, table, float64(i)*1.25-100))
				}
			}
			if want, got := mergeAll(t, table, all), mergeTree(t, table, reversed(all)); !bytes.Equal(got, want) {
				t.Fatalf("%s of %d values depends on the split", name, len(all))
			}
		})
	}
}

// TestExactSums: sums, means and deviations are those of exact arithmetic, rounded once.
func TestExactSums(t *testing.T) {
	table := &Table{Name: "t", Kind: "mean"}
	if err := table.Complete(); err != nil {
		t.Fatal(err)
	}

	rapid.Check(t, func(t *rapid.T) {
		result := &moments{}
		total, squares := new(big.Float).SetPrec(5000), new(big.Float).SetPrec(5000)
		n := rapid.IntRange(1, 40).Draw(t, "n")
		for range n {
			value := number(t)
			if err := result.merge(AppendFinite(nil, table, value)); err != nil {
				t.Fatal(err)
			}
			exactly := new(big.Float).SetPrec(5000).SetFloat64(value)
			total.Add(total, exactly)
			squares.Add(squares, exactly.Mul(exactly, exactly))
		}

		if want, _ := total.Float64(); result.total.float() != want {
			t.Fatalf("sum %v, want %v", result.total.float(), want)
		}
		if want, _ := squares.Float64(); result.squares.float() != want {
			t.Fatalf("sum of squares %v, want %v", result.squares.float(), want)
		}
		if n < 2 {
			return
		}

		// (n·squares - total²) / (n·(n-1))
		count := new(big.Float).SetInt64(int64(n))
		variance := new(big.Float).SetPrec(5000).Mul(squares, count)
		variance.Sub(variance, total.Mul(total, total))
		variance.Quo(variance, new(big.Float).SetInt64(int64(n)*int64(n-1)))
		want, _ := variance.Sqrt(variance).Float64()
		if got := result.deviation(); math.Abs(got-want) > 1e-14*want && got != want {
			t.Fatalf("deviation %v, want %v", got, want)
		}
	})
}

// TestQuantilesAreNear: exact up to ExactValues, and within 1/256 of the value of that
// rank beyond.
func TestQuantilesAreNear(t *testing.T) {
	shares := []float64{0, 0.01, 0.25, 0.5, 0.95, 0.999, 1}
	table := &Table{Name: "t", Kind: "quantiles", Of: shares}
	if err := table.Complete(); err != nil {
		t.Fatal(err)
	}

	for _, n := range []int{1, 2, ExactValues, ExactValues + 1, 20_000} {
		result := &quantiles{of: shares}
		var values []float64
		for i := range n {
			value := math.Pow(1.0007, float64(i*7919%n)) - 3
			values = append(values, value)
			if err := result.merge(AppendFinite(nil, table, value)); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(values)

		cells := result.cells(nil)[9:] // behind n
		for _, share := range shares {
			got := datum.Float(cells)
			cells = cells[9:]
			if n <= ExactValues {
				if want := between(values, share); got != want {
					t.Errorf("of %d values the %v-quantile is %v, want %v", n, share, got, want)
				}
				continue
			}
			want := values[int(math.Round(float64(n-1)*share))]
			if math.Abs(got-want) > math.Abs(want)/256 {
				t.Errorf("of %d values the %v-quantile is %v, want %v", n, share, got, want)
			}
		}
	}
}

// TestDistinctIsNear: exact up to ExactDistinct, and within three standard errors beyond.
func TestDistinctIsNear(t *testing.T) {
	for _, n := range []int{0, 1, ExactDistinct, ExactDistinct + 1, 10_000, 100_000, 1_000_000} {
		result := &distinct{}
		for i := range n {
			if err := result.merge(AppendDistinct(nil, datum.AppendString(nil, fmt.Sprint("value ", i%max(n, 1))))); err != nil {
				t.Fatal(err)
			}
		}

		allowed := 0.0
		if n > ExactDistinct {
			allowed = 3 * 0.0081 * float64(n)
		}
		if got := result.estimate(); math.Abs(got-float64(n)) > allowed {
			t.Errorf("%v different values, want %d", got, n)
		}
	}
}

// TestRows: what random tasks emit, combined at random, gives the rows of one task.
func TestRows(t *testing.T) {
	set := Set{}
	for _, name := range Kinds() {
		table := &Table{Name: name, Kind: name, Keys: []string{"key"}, Size: 3}
		if err := table.Complete(); err != nil {
			t.Fatal(err)
		}
		set = append(set, table)
	}

	rapid.Check(t, func(t *rapid.T) {
		var adds []func(*Task)
		for range rapid.IntRange(1, 60).Draw(t, "adds") {
			adds = append(adds, drawAdd(t, set))
		}

		want := rowsOf(t, set, adds, 1<<30, false)
		got := rowsOf(t, set, adds, rapid.IntRange(1, 2000).Draw(t, "limit"), true)
		if !slices.Equal(got, want) {
			t.Fatalf("rows\n%q\nand in another split\n%q", want, got)
		}
	})
}

// drawAdd draws a table, a key and a value of it.
func drawAdd(t *rapid.T, set Set) func(*Task) {
	n := rapid.IntRange(0, len(set)-1).Draw(t, "table")
	table := set[n]
	if rapid.IntRange(0, 9).Draw(t, "skip") == 0 {
		return func(task *Task) { task.Skip(n) }
	}

	key := CloseKey(datum.AppendNumber(AppendKey(nil, n), float64(rapid.IntRange(0, 2).Draw(t, "key"))))
	switch table.Kind {
	case "rows":
		row := drawDatum(t)
		return func(task *Task) { task.Add(n, CloseKey(AppendKey(nil, n)), row) }
	case "top":
		key = append(key, datum.AppendNumber(nil, float64(rapid.IntRange(0, 9).Draw(t, "value")))...)
	case "histograms":
		key = datum.AppendNumber(datum.AppendNumber(datum.AppendString(key, "linear 1 to 3"), 4), 9)
	}
	value := partials[table.Kind](t, table)
	return func(task *Task) { task.Add(n, key, value) }
}

// rowsOf runs the adds in one task or several, and returns the rows. Every pair that is
// emitted is in a sorted run then, as in the shuffle.
func rowsOf(t *rapid.T, set Set, adds []func(*Task), limit int, split bool) (rows []string) {
	pairs := map[string][][]byte{}
	newTask := func() *Task {
		task := NewTask(set, func(key, value []byte) error {
			pairs[string(key)] = append(pairs[string(key)], bytes.Clone(value))
			return nil
		})
		task.limit = limit
		return task
	}

	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	task := newTask()
	for _, do := range adds {
		do(task)
		must(task.Commit())
		do(task) // of a record that is rejected
		task.Rollback()
		if split && rapid.Bool().Draw(t, "next task") {
			must(task.Flush())
			task = newTask()
		}
	}
	must(task.Flush())

	reducer := NewReducer(set,
		func(row Row) error {
			rows = append(rows, fmt.Sprintf("%d %x", row.Table, row.Cells))
			return nil
		},
		func(table *Table, n int64) { rows = append(rows, fmt.Sprintf("%s skipped %d", table.Name, n)) })
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		list := pairs[key]
		if split && len(list) > 1 && rapid.Bool().Draw(t, "combine") {
			var combined [][]byte
			must(set.Combine([]byte(key), &slicedValues{rest: list}, func(value []byte) { combined = append(combined, bytes.Clone(value)) }))
			list = combined
		}
		must(reducer.Reduce([]byte(key), &slicedValues{rest: list}))
	}
	must(reducer.Finish())
	return rows
}

type slicedValues struct{ rest [][]byte }

func (s *slicedValues) Next() ([]byte, error) {
	if len(s.rest) == 0 {
		return nil, nil
	}
	next := s.rest[0]
	s.rest = s.rest[1:]
	return next, nil
}

func reversed(all [][]byte) [][]byte {
	all = slices.Clone(all)
	slices.Reverse(all)
	return all
}
