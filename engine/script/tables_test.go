package script_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/tables"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// everyKind is a script with a table of each kind.
const everyKind = `
import { count, sum, mean, min, max, quantiles, distinct, top, sample, histograms, rows } from "tables"
export const a = count("k")
export const b = sum("k")
export const c = mean("k")
export const d = min("k")
export const e = max("k")
export const f = quantiles("k", { of: [0, 0.5, 1] })
export const g = distinct("k")
export const h = top("k", { size: 2 })
export const i = sample("k", { size: 2 })
export const j = histograms("k", "name", { percentiles: [50], show: ["bucketing", "length", "pings", "samples", "sum", "mean", "p50", "numbers"] })
export const l = rows("id", "n")
export function map(id, dims, ping) {
  a.add(ping.k)
  for (const t of [b, c, d, e, f, g, h, i]) t.add(ping.k, ping.n)
  j.addEach(ping.k, ping.h)
  l.add(id, ping.n)
}`

// someRecords are records for everyKind, n of them.
func someRecords(n int) (records []string) {
	for i := range n {
		record := fmt.Sprintf(`id%d`+"\t"+`{"k":"key%d","n":%v,"h":{"A":[%d,0,1,%d,-1,-1,0.1,0],"B":[1,2,-1,0,0,0,0]}}`, i, i%3, float64(i%17)*0.1, i%200, i)
		if i%10 == 7 {
			record = fmt.Sprintf("id%d\t"+`{"k":"key1","h":null}`, i)
		}
		records = append(records, record)
	}
	return records
}

// rowsOfTables runs a script with tables and returns its rows.
func rowsOfTables(t *testing.T, text string, src memory.Source, change func(*script.Job, *engine.Options)) (string, map[string]int64, error) {
	t.Helper()
	compiled, err := script.Compile("test.js", text)
	if err != nil {
		return "", nil, err
	}
	job := &script.Job{Script: compiled, Limits: script.DefaultLimits(), Counters: &script.Counters{}}
	options := engine.DefaultOptions()
	if change != nil {
		change(job, &options)
	}

	plan, err := engine.NewPlan(t.Context(), src, schema.All(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	sink := format.NewTSV(&out)
	if _, err := engine.Run(t.Context(), src, plan, job, sink, options); err != nil {
		return "", nil, err
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), job.Counters.All(), nil
}

// TestTablesAreTheSameForAnySplit: all kinds, for any segments, numbers of workers and
// memory.
func TestTablesAreTheSameForAnySplit(t *testing.T) {
	records := someRecords(300)
	want, counters, err := rowsOfTables(t, everyKind, memory.Source{enginetest.Lines("all", records...)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"a", "f", "j"} {
		if !strings.Contains(want, "\n"+table+"\tkey1\t") && !strings.HasPrefix(want, table+"\tkey1\t") {
			t.Errorf("no row of table %s in\n%s", table, want)
		}
	}
	if counters["values skipped by f"] != 30 || counters["values skipped by j"] != 30 {
		t.Errorf("skipped values: %v", counters)
	}

	for _, size := range []int{1, 7, 100} {
		var src memory.Source
		for part := range slices.Chunk(records, size) {
			src = append(src, enginetest.Lines(fmt.Sprintf("seg%03d", len(src)), part...))
		}
		got, gotCounters, err := rowsOfTables(t, everyKind, src, func(_ *script.Job, o *engine.Options) {
			o.Mappers, o.Reducers, o.Memory = size%5+1, size%3+1, 1
		})
		if err != nil {
			t.Fatal(err)
		}
		if got != want || fmt.Sprint(gotCounters) != fmt.Sprint(counters) {
			t.Errorf("in segments of %d records: %v\n%s\nwant %v\n%s", size, gotCounters, got, counters, want)
		}
	}
}

// TestTableResults: what tables give for values that are easily got wrong.
func TestTableResults(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"missing values are skipped", `
			export const t = mean("k")
			export function map() { for (const v of [1, undefined, null, NaN, 1 / 0, -1 / 0, 3]) t.add("x", v) }`,
			"x\t2\t2\t1.4142135623730951\n"},
		{"a key with nothing but missing values has no row", `
			export const t = sum("k")
			export function map() { t.add("x", undefined) }`, ""},
		{"tenths add up exactly", `
			export const t = sum()
			export function map() { for (let i = 0; i < 10; i++) t.add(0.1) }`, "1\n"},
		{"a large and a small number", `
			export const t = sum()
			export function map() { for (const v of [1e300, 1, -1e300]) t.add(v) }`, "1\n"},
		{"undefined is a key, behind all others", `
			export const t = count("k")
			export function map() { for (const k of [undefined, "b", null, 2]) t.add(k) }`, "\t1\n2\t1\nb\t1\n\t1\n"},
		{"distinct and top tell types apart", `
			export const t = top({ size: 9 })
			export function map() { for (const v of ["1", 1, true, "1"]) t.add(v) }`, "1\t2\ntrue\t1\n1\t1\n"},
		{"members of an object", `
			export const t = sum("name")
			export function map(id, dims, ping) { t.addEach(ping.n); t.addEach({ a: 1, d: 5 }) }`, "a\t3\nb\t7\nd\t5\n"},
		{"members of a changed object", `
			export const t = sum("name")
			export function map(id, dims, ping) { ping.n.a = 10; delete ping.n.b; t.addEach(ping.n) }`, "a\t10\n"},
		{"filters", `
			export const t = sum("how", "name")
			export function map(id, dims, ping) {
				t.addEach("re", ping.n, /^A$/i)
				t.addEach("list", ping.n, ["b", "z"])
				t.addEach("function", ping.n, (name) => name === "b")
				t.addEach("global", ping.n, /[ab]/g)
			}`, "function\tb\t7\nglobal\ta\t2\nglobal\tb\t7\nlist\tb\t7\nre\ta\t2\n"},
		{"a filter that changes from call to call", `
			export const t = sum("how", "name")
			const list = ["a"]
			export function map(id, dims, ping) {
				t.addEach("list", ping.n, list)
				list[0] = "b"
				t.addEach("changed", ping.n, list)
				list.push("a")
				t.addEach("longer", ping.n, list)
				list.length = 1
				list[0] = { toString: () => "a" }
				t.addEach("object", ping.n, list)
				list[0] = "a"
			}`, "changed\tb\t7\nlist\ta\t2\nlonger\ta\t2\nlonger\tb\t7\nobject\ta\t2\n"},
		{"objects in objects", `
			export const t = count("outer", "inner")
			export function map(id, dims, ping) { t.addEach(ping.nested); t.addEach(ping.nested, /q/); t.addEach({ z: { y: 1 } }) }`,
			"p\tx\t1\nq\ty\t2\nz\ty\t1\n"},
		{"of a name that comes twice the last value", `
			export const t = sum("name")
			export function map(id, dims, ping) { t.addEach(ping.twice) }`, "a\t3\nb\t2\n"},
		{"sums that were not sent", `
			export const t = histograms({ percentiles: [50], show: ["pings", "samples", "sum", "mean", "numbers"] })
			export function map() { t.add([1, 2, -1, 0.5, 0.5, 1, 0]); t.add([1, 1, 6, 0.25, -1, 2, 0]) }`,
			"2\t5\t6\t3\t[2,3,6,0.75,0.5,3,0]\n"},
		{"lengths never mix", `
			export const t = histograms({ show: ["length", "buckets"] })
			export function map() { t.add([1, 2, 0, 0, 0, 0, 0]); t.add([1, 0, 0, 0, 0, 0]); t.add(new Float64Array([2, 2, 0, 0, 0, 0, 0])) }`,
			"6\t[1]\n7\t[3,4]\n"},
		{"histograms as current pings send them", `
			export const t = histograms("name", { percentiles: [100], show: ["bucketing", "samples", "sum", "p100", "buckets"] })
			export function map(id, dims, ping) { t.addEach(ping.sparse); t.add("B", ping.sparse.A) }`,
			"A\tlinear 1 to 10\t5\t7\t10\t[3,2,0]\nB\tlinear 1 to 10\t5\t7\t10\t[3,2,0]\n"},
		{"rows keep their order and their gaps", `
			export const t = rows("n", "what")
			export function map() { t.add(2, undefined); t.add(1, { a: [1] }); t.add(2, null) }`, "2\t\n1\t{\"a\":[1]}\n2\t\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := "import { " + strings.Join(declare.Members(declare.Tables), ", ") + " } from 'tables'\n" + tt.script
			src := memory.Source{enginetest.Lines("s", `id`+"\t"+`{"n":{"a":2,"b":7},"nested":{"p":{"x":1},"q":{"y":2}},"twice":{"a":1,"b":2,"a":3},"sparse":{"A":{"range":[1,10],"bucket_count":3,"histogram_type":1,"values":{"0":3,"1":2},"sum":7}}}`)}
			got, _, err := rowsOfTables(t, text, src, nil)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// TestTableMistakes: what tables do not take is an error that says what they take.
func TestTableMistakes(t *testing.T) {
	const begin = `import { count, sum, top, distinct, quantiles, histograms, rows } from "tables"; `
	for _, tt := range []struct{ script, want string }{
		{`export const t = count("a"); export function map() { t.add() }`, "t.add takes a, not 0 arguments"},
		{`export const t = count("a"); export function map() { t.add(1, 2) }`, "t.add takes a, not 2 arguments"},
		{`export const t = sum("a"); export function map() { t.add(1) }`, "t.add takes a, a value, not 1 arguments"},
		{`export const t = sum("a"); export function map() { t.add(1, "2") }`, `t.add: "2" is no number`},
		{`export const t = sum("a"); export function map() { t.add(1, true) }`, "t.add: true is no number"},
		{`export const t = sum("a"); export function map() { t.add({}, 1) }`, "a key must be a string"},
		{`export const t = top("a"); export function map() { t.add(1, {}) }`, "not an object"},
		{`export const t = histograms("a"); export function map() { t.add(1, 5) }`, "t.add: 5 is no histogram"},
		{`export const t = histograms("a"); export function map() { t.add(1, [1, 2]) }`, "no histogram: it has 2 numbers"},
		{`export const t = histograms("a"); export function map() { t.add(1, [1.5, 0, 0, 0, 0, 0]) }`, "the count of bucket 0 is 1.5"},
		{`export const t = histograms("a"); export function map() { t.addEach({ X: ["a"] }) }`, `["a"] is no histogram`},
		{`export const t = histograms("a"); export function map() { t.addEach(5) }`, "t.addEach: 5 is no object"},
		{`export const t = histograms("a"); export function map() { t.addEach(1, 2, 3) }`, "t.addEach takes an object"},
		{`export const t = count(); export function map() { t.addEach({}) }`, "no key column"},
		{`export const t = rows("a", "b"); export function map() { t.add(1) }`, "t.add takes a, b, not 1"},
		{`export const t = rows(); export function map() {}`, "rows needs the names of its columns"},
		{`export const t = sum("a", "a"); export function map() {}`, `two columns have the name "a"`},
		{`export const t = sum("sum"); export function map() {}`, `two columns have the name "sum"`},
		{`export const t = sum(1); export function map() {}`, "column 0 is no string"},
		{`export const t = sum({ off: 1 }); export function map() {}`, "sum has no option off: there are of, size"},
		{`export const t = quantiles({ of: [95] }); export function map() {}`, "of: 95 is not between 0 and 1"},
		{`export const t = top({ size: -1 }); export function map() {}`, "size: -1 is not between"},
		{`export const t = histograms({ mode: "cubic" }); export function map() {}`, `mode: "cubic" is none of`},
		{`export const t = histograms({ show: ["median"] }); export function map() {}`, `histograms has no "median": it has bucketing`},
		{`const t = sum("a"); export function map() {}`, "a table of kind sum with the columns a, sum is not exported"},
		{`export const t = sum("a"), u = t; export function map() {}`, "a table is exported as t and as u"},
		{`export function map() { count("a") }`, "declare tables at the top level"},
		{`export const t = count(); export function map() { t.add() } export function reduce() {}`, "the script has tables (t) and exports reduce: tables are merged"},
		{`export const t = count(); export function map() { t.add() } export const combine = map`, "and exports combine"},
		{`export const t = count(); export function map() { t.add() } export function mapFinished() {}`, "and exports mapFinished"},
		{`export const t = count(); export function map() { t.add() } export const columns = ["a"]`, "and exports columns"},
		{`export const t = count(); export function map(id, dims, ping, ctx) { ctx.write(id, 1) }`, "the script has tables (t), so map adds to these"},
		{`export const t = count(); t.add(); export function map() {}`, "count.add: only map adds to tables"},
	} {
		_, _, err := rowsOfTables(t, begin+tt.script, memory.Source{enginetest.Lines("s", pingA)}, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.script, err, tt.want)
		}
	}
}

// TestTablesForgetRejectedRecords: what a rejected record has added does not count.
func TestTablesForgetRejectedRecords(t *testing.T) {
	const text = `import { sum, rows, histograms } from "tables"
		export const a = sum("k"), b = rows("k"), c = histograms("name")
		export function map(id, dims, ping) {
			a.add("x", ping.n); a.add("only " + id, undefined); b.add(id); c.addEach(ping.h)
			if (ping.bad) throw new Error("bad")
		}`
	src := memory.Source{enginetest.Lines("s",
		"1\t"+`{"n":1,"h":{"A":[1,0,0,0,0,0]}}`, "2\t"+`{"n":10,"h":{"A":[1,0,0,0,0,0],"B":[7,0,0,0,0,0]},"bad":true}`,
		"3\t"+`{"n":100,"h":{"A":[4,0,0,0,0,0],"B":"x"}}`, "4\t"+`{"n":1000}`)}
	got, counters, err := rowsOfTables(t, text, src, func(_ *script.Job, o *engine.Options) { o.MaxErrors = 2 })
	want := "a\tx\t1001\nb\t1\nb\t4\nc\tA\tunknown\t1\t1\t0\t0\t\t\t\t\t[1]\n"
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if counters["values skipped by a"] != 2 || counters["values skipped by c"] != 1 {
		t.Errorf("skipped values: %v", counters)
	}
}

// TestTablesAreDeclared: tables have the methods, and take the options, that are declared.
func TestTablesAreDeclared(t *testing.T) {
	found := walked(t, `export function map(id, dims, ping, ctx) {
		try { require("tables").count("a") } catch (e) { ctx.write("late", e.message) }
	}`)
	if !strings.Contains(fmt.Sprint(found), "top level") {
		t.Errorf("a table that map declares: %v", found)
	}

	for _, member := range declare.Members(declare.Table) {
		text := `import { count } from "tables"
			export const t = count("a")
			if (typeof t.` + member + ` !== "function") throw new Error("none")
			if (Object.getOwnPropertyNames(t).length !== ` + fmt.Sprint(len(declare.Members(declare.Table))) + `) throw new Error("more")
			export function map() {}`
		if _, _, err := rowsOfTables(t, text, nil, nil); err != nil {
			t.Errorf("%s: %v", member, err)
		}
	}

	// The message about an option that there is not names all of them.
	_, _, err := rowsOfTables(t, `import { count } from "tables"; export const t = count({ none: 1 }); export function map() {}`, nil, nil)
	for _, option := range declare.Members(declare.TableOptions) {
		if err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(option, "?")) {
			t.Errorf("option %s is not in %v", option, err)
		}
	}

	same(t, "module tables", strings.Join(tables.Kinds(), ","), declare.Members(declare.Tables))
}
