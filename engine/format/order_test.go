package format

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// orderOf returns the TSV of rows [key, value] in an order.
func orderOf(t *testing.T, rows [][2][]byte, options OrderOptions) string {
	t.Helper()
	var out bytes.Buffer
	order, err := NewOrder(newTSV(&out), options)
	if err != nil {
		t.Fatal(err)
	}
	defer order.Discard()

	if err := errors.Join(order.Line([]byte("# head")), order.EndPreamble()); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := order.Row(row[0], row[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := order.Close(); err != nil {
		t.Fatal(err)
	}

	if want := int64(len(rows)); options.Limit > 0 && order.Dropped() != max(0, want-options.Limit) {
		t.Errorf("%d rows of %d dropped with limit %d", order.Dropped(), want, options.Limit)
	}
	return strings.TrimPrefix(out.String(), "# head\n")
}

// TestOrderOfKinds: the order of all kinds of cells, in both directions.
func TestOrderOfKinds(t *testing.T) {
	number := func(n float64) []byte { return datum.AppendNumber(nil, n) }
	text := func(s string) []byte { return datum.AppendString(nil, s) }
	values := [][]byte{
		datum.AppendBool(nil, false), datum.AppendBool(nil, true), number(math.Inf(-1)), number(-10), number(-9), number(0), number(9), number(10),
		number(math.Inf(1)), text(""), text("10"), text("9"), text("a"), text("a\x00"), text("ab"), text("ä"),
	}
	last := [][]byte{number(math.NaN()), datum.AppendNull(nil), datum.AppendUndefined(nil)}

	backward := slices.Clone(values)
	slices.Reverse(backward)
	for name, want := range map[string][][]byte{"value": slices.Concat(values, last), "value:desc": slices.Concat(backward, last)} {
		by, err := ParseOrder(name)
		if err != nil {
			t.Fatal(err)
		}

		shuffled := make([][2][]byte, len(want))
		var wanted strings.Builder
		for i, at := range rand.Perm(len(want)) {
			shuffled[i] = [2][]byte{number(float64(at)), want[at]}
			fmt.Fprintf(&wanted, "%d\t%s\n", i, appendEscaped(nil, want[i]))
		}
		if got := orderOf(t, shuffled, OrderOptions{By: by, Memory: 1 << 20}); got != wanted.String() {
			t.Errorf("%s: got\n%swant\n%s", name, got, wanted.String())
		}
	}
}

// TestOrderIsThatOfAStableSort compares random rows, in a heap, in memory and in a file,
// with a stable sort and a cut.
func TestOrderIsThatOfAStableSort(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		type pair struct{ a, b, n int }
		pairs := make([]pair, random.IntN(300))
		rows := make([][2][]byte, len(pairs))
		for i := range pairs {
			pairs[i] = pair{random.IntN(4), random.IntN(4), i}
			key := datum.AppendNumber(datum.AppendKind(nil, datum.Array), float64(pairs[i].a))
			key = datum.AppendString(key, fmt.Sprint(pairs[i].b))
			key = datum.AppendKind(key, datum.End)
			rows[i] = [2][]byte{key, datum.AppendNumber(nil, float64(i))}
		}

		slices.SortStableFunc(pairs, func(x, y pair) int {
			if x.a != y.a {
				return y.a - x.a
			}
			return x.b - y.b
		})
		by := []OrderColumn{{Name: "key1", Descending: true}, {Name: "key2"}}
		for _, limit := range []int64{0, 1, 7, 250, maxTopRows + 1} {
			var want strings.Builder
			for i, p := range pairs {
				if limit == 0 || int64(i) < limit {
					fmt.Fprintf(&want, "%d\t%d\t%d\n", p.a, p.b, p.n)
				}
			}
			for _, memory := range []int64{0, 1 << 20} {
				if len(rows) == 0 {
					continue
				}
				got := orderOf(t, rows, OrderOptions{By: by, Limit: limit, Memory: memory, Dir: t.TempDir()})
				if got != want.String() {
					t.Fatalf("limit %d: got\n%swant\n%s", limit, got, want.String())
				}
			}
		}
	}
}

// TestLimitOfRowsAndLines: without an order the first rows and lines pass.
func TestLimitOfRowsAndLines(t *testing.T) {
	var out bytes.Buffer
	order, err := NewOrder(newTSV(&out), OrderOptions{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	one := datum.AppendNumber(nil, 1)
	cells := datum.AppendKind(datum.AppendNumber(datum.AppendKind(nil, datum.Array), 2), datum.End)
	err = errors.Join(order.Record(cells), order.EndPreamble(), order.Line([]byte("a")), order.Record(cells), order.Row(one, one), order.Line([]byte("b")), order.Close())
	if err != nil || out.String() != "2\na\n2\n" || order.Dropped() != 2 {
		t.Errorf("%v, dropped %d:\n%s", err, order.Dropped(), out.String())
	}
}

// TestOrderColumns: which names there are, and what a wrong one says.
func TestOrderColumns(t *testing.T) {
	for _, tt := range []struct{ by, columns, want string }{
		{"os,records:desc", "os,records", ""},
		{"column3", "os,records", ""},
		{"column2", "os,records", `there is no column "column2" to order by: there are os, records`},
		{"value", "os,records", `there is no column "value" to order by: there are os, records`},
		{"a:b", "a:b", ""},
		{"a:desc", "a:desc", `there is no column "a" to order by: there are a:desc`},
		{"key", "", ""},
		{"key2:asc,value:desc,column1", "", ""},
		{"key01", "", `there is no column "key01" to order by: there are key (key1, key2, … of an array), value, column1, column2, … (of ctx.writeRow)`},
		{"value1", "", `there is no column "value1" to order by: there are key (key1, key2, … of an array), value, column1, column2, … (of ctx.writeRow)`},
		{"a,,b", "", `"a,,b" names no column: write COLUMN or COLUMN:desc`},
	} {
		by, err := ParseOrder(tt.by)
		if err == nil {
			options := OrderOptions{By: by, Memory: 1}
			if tt.columns != "" {
				options.Columns = strings.Split(tt.columns, ",")
			}
			_, err = NewOrder(newTSV(&bytes.Buffer{}), options)
		}
		if got := fmt.Sprint(err); got != tt.want && !(err == nil && tt.want == "") {
			t.Errorf("%s of %q: %s, want %s", tt.by, tt.columns, got, tt.want)
		}
	}

	// Of the names that there may be, this job's rows lack one.
	order, err := NewOrder(newTSV(&bytes.Buffer{}), OrderOptions{By: []OrderColumn{{Name: "key2"}}, Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	one := datum.AppendNumber(nil, 1)
	err = errors.Join(order.EndPreamble(), order.Row(one, one), order.Close())
	if got := fmt.Sprint(err); got != `there is no column "key2" to order by: there are key, value` {
		t.Errorf("%s", got)
	}
	if err := order.Line([]byte("x")); err == nil {
		t.Error("a line was ordered")
	}
}
