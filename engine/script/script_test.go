package script_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(benchData.made)
		os.Exit(code)
	}))
}

// job is one run of a script in a test.
type job struct {
	name     string // of the script; default test.js
	text     string
	compiled *script.Script // in place of name and text
	records  []string       // `<id>\t<json>`, each in a segment of its own
	src      memory.Source
	filter   string // JavaScript
	limits   script.Limits
	opts     engine.Options
}

// run returns the output and what console wrote.
func (j job) run(ctx context.Context) (out, console string, err error) {
	if j.name == "" {
		j.name = "test.js"
	}

	if j.limits.Stack == 0 {
		j.limits = script.DefaultLimits()
	}

	if j.opts.Mappers == 0 {
		j.opts = engine.DefaultOptions()
	}

	for i, r := range j.records {
		j.src = append(j.src, enginetest.Lines(fmt.Sprintf("seg%03d", i), r))
	}

	s, err := j.compiled, error(nil)
	if s == nil {
		s, err = script.Compile(j.name, j.text)
	}

	if err != nil {
		return "", "", err
	}

	var mu sync.Mutex
	var log strings.Builder
	sj := &script.Job{Script: s, Limits: j.limits, Console: func(level, text string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&log, "%s: %s\n", level, text)
	}}
	lf := schema.All()
	var accept func(schema.Dims) (bool, error)
	if j.filter != "" {
		fs, err := script.Compile("filter.js", j.filter)
		if err != nil {
			return "", "", err
		}
		if sj.Filter, err = script.NewFilterScript(ctx, fs, j.limits, nil); err != nil {
			return "", "", err
		}
		lf = sj.Filter.Selection
		var free func()
		if accept, free, err = sj.Filter.Accept(ctx); err != nil {
			return "", "", err
		}
		defer free()
	}

	plan, err := engine.NewPlan(ctx, j.src, lf, accept)
	if err != nil {
		return "", "", err
	}

	var buf bytes.Buffer
	sink := format.NewTSV(&buf)
	_, err = engine.Run(ctx, j.src, plan, sj, sink, j.opts)
	sink.Close()
	return buf.String(), log.String(), err
}

const pingA = `a` + "\t" + `{"ver":2,"info":{"OS":"WINNT","version":"6.1"},"histograms":{"GC_MS":[1,2,3,10,-1],"X":[0,1]},"text":"tab\t \"q\" \u00e4\ud83d\ude00","n":[1.5,-2,1e3],"z":null,"t":true,"10":"ten","2":"two"}`
const pingB = `b` + "\t" + `{"info":{"OS":"Linux"},"histograms":{},"ver":2}`

func TestJobs(t *testing.T) {
	tests := []struct {
		name string
		job  job
		want string
	}{
		{"modules", job{text: `
			export function map(id, dims, ping, ctx) { ctx.write(ping.info.OS, 1) }
			export function reduce(os, counts, ctx) { ctx.write(os, counts.reduce((a, b) => a + b)) }
			export const combine = reduce`, records: []string{pingA, pingB, pingA}}, "Linux\t1\nWINNT\t2\n"},
		{"plain global functions", job{text: `
			var total = 0;
			function map(key, dims, value, cx) { cx.write(JSON.parse(value).info.OS, 1) }
			function setup_reduce(context) { context.field_separator = ","; context.record_separator = ";" }
			function reduce(key, values, context) { context.write(key, values.length) }`,
			records: []string{pingA, pingB}}, "Linux,1;WINNT,1;"},
		{"CommonJS", job{text: `
			module.exports = { map: function (id, dims, ping, ctx) { ctx.write(id, ping.ver) } }`,
			records: []string{pingB, pingA}}, "a\t2\nb\t2\n"},
		{"TypeScript", job{name: "test.ts", text: `
			interface Ping { ver: number }
			export function map(id: string, dims: string[], ping: Ping, ctx: any): void { ctx.write(id as string, ping.ver!) }`,
			records: []string{pingA}}, "a\t2\n"},
		{"map only, input order within a key", job{text: `
			export function map(id, dims, ping, ctx) { ctx.write("k", id); ctx.write("j", [id]) }`,
			records: []string{pingB, pingA}}, "j\t[\"b\"]\nj\t[\"a\"]\nk\tb\nk\ta\n"},
		{"map only with separators", job{text: `
			function map(id, dims, ping, ctx) { ctx.write(id, 1) }
			function setup_reduce(ctx) { ctx.field_separator = ": " }`, records: []string{pingA}}, "a: 1\n"},
		{"setup_reduce writes once", job{text: `
			function map(id, dims, ping, ctx) { ctx.write(id, 1) }
			function setup_reduce(ctx) { ctx.writeline("id\tcount") }
			function reduce(k, v, ctx) { ctx.write(k, v.length) }`, records: []string{pingA, pingB}}, "id\tcount\na\t1\nb\t1\n"},
		{"writecsv, writeline", job{text: `
			function map(id, dims, ping, ctx) { ctx.write(id, 1) }
			function reduce(k, v, ctx) { ctx.writecsv([k, 'a,"b"', 1.5]); ctx.writeline("line " + k) }`,
			records: []string{pingA}}, "a,\"a,\"\"b\"\"\",1.5\r\nline a\n"},
		{"loops in Go over values and arrays", job{text: `
			export function map(id, dims, ping, ctx) {
				let sum = 0, last = 0
				for (const x of ping.histograms.GC_MS ?? []) sum += x
				for (let i = 0; i < ping.n?.length; i++) { sum += ping.n[i]; last = ping.n[i] }
				ping.n?.push(5)
				for (const x of ping.n ?? []) last += x
				for (let i = 0; i < 20000; i++) ctx.write("many", i)
				ctx.write("sums", sum); ctx.write("sums", last)
				ctx.write("mixed", 1); ctx.write("mixed", id); ctx.write("mixed", 2)
			}
			function add(values) { let n = 0; for (const v of values) n += v; return n }
			export function reduce(k, values, ctx) {
				const early = values[3], first = add(values), again = add(values)
				let back = 0
				for (let i = values.length - 1; i >= 0; i--) back += values[i]
				ctx.write(k, [first, again, first === back, early === values[3], values[0], values.length])
			}`, records: []string{pingA}},
			`many	[199990000,199990000,true,true,0,20000]` + "\n" + `mixed	["1a2","1a2",false,true,1,3]` + "\n" +
				`sums	[3019,3019,true,true,1014.5,2]` + "\n"},
		{"array keys", job{text: `
			export function map(id, dims, ping, ctx) { ctx.write([dims.appUpdateChannel, dims[1], 2], 1); ctx.write(dims, 1); ctx.write(["b"], 1); ctx.write([10], 1); ctx.write([9], 1) }
			export function reduce(k, v, ctx) { ctx.write(k, Array.isArray(k) ? v.length : "no array") }`,
			records: []string{pingA, pingB}}, "9\t2\n10\t2\nb\t2\nnightly\tFirefox\t2\t2\nsaved_session\tFirefox\tnightly\t26.0a1\t20130909030204\t20130910\t2\n"},
		{"keys of every kind in order", job{text: `
			export function map(id, dims, ping, ctx) { for (const k of ["b", "a", true, false, null, undefined, 10, 9, -1, 1.5, [1], ["a"], []]) ctx.write(k, 0) }
			export function reduce(k, v, ctx) { ctx.writeline(JSON.stringify(k)) }`,
			records: []string{pingA}}, "null\nfalse\ntrue\n-1\n1.5\n9\n10\n\"a\"\n\"b\"\n[]\n[1]\n[\"a\"]\nundefined\n"},
		{"values of every kind", job{text: `
			export function map(id, dims, ping, ctx) { for (const v of ["s\t", true, null, undefined, 1.5, NaN, -0, [1, [2]], {b: 1, a: [], u: undefined}, new Date(0), new Number(3), 2**53, ping.n, ping.info]) ctx.write("k", v) }
			export function reduce(k, vs, ctx) { for (const v of vs) ctx.write(typeof v, v) }`, records: []string{pingA}},
			"string\ts\\t\nboolean\ttrue\nobject\t\nundefined\t\nnumber\t1.5\nnumber\tNaN\nnumber\t0\nobject\t[1,[2]]\nobject\t{\"b\":1,\"a\":[]}\nstring\t1970-01-01T00:00:00.000Z\nnumber\t3\nnumber\t9007199254740992\nobject\t[1.5,-2,1000]\nobject\t{\"OS\":\"WINNT\",\"version\":\"6.1\"}\n"},
		{"a missing field is undefined everywhere", job{text: `
			export function map(id, dims, ping, ctx) { ctx.write("m", ping.missing); ctx.write("l", [ping.missing, null, , 1]); ctx.write("o", { u: ping.missing, a: [undefined] }) }
			export function combine(k, vs, ctx) { for (const v of vs) ctx.write(k, v) }
			export function reduce(k, vs, ctx) { for (const v of vs) ctx.writeLine([k, v, v && v[0], v && v.u, v && v[1], v && "u" in v, v + 1].map(String).join(" ")) }`, records: []string{pingA}},
			"l ,,,1 undefined undefined null false ,,,11\nm undefined undefined undefined undefined undefined NaN\no [object Object] undefined undefined undefined false [object Object]1\n"},
		{"mapFinished", job{text: `
			let n = 0
			export function map() { n++ }
			export function mapFinished(ctx) { ctx.write("n", n) }
			export function reduce(k, v, ctx) { ctx.write(k, v.join("+")) }`, records: []string{pingA, pingB}}, "n\t1+1\n"},
		{"fresh globals in each task", job{text: `
			let n = 0
			Object.prototype.polluted ??= 0
			export function map(id, dims, ping, ctx) { n++; Object.prototype.polluted++; ctx.write(id, [n, {}.polluted]) }`,
			records: []string{pingA, pingB}}, "a\t[1,1]\nb\t[1,1]\n"},
		{"no time, no chance", job{text: `
			export function map(id, dims, ping, ctx) { ctx.write("k", [Date.now(), new Date().getHours(), Math.random()]) }
			export function reduce(k, v, ctx) { ctx.write(k, JSON.stringify(v[0]) === JSON.stringify(v[1])) }`,
			records: []string{pingA, pingB}}, "k\ttrue\n"},
		{"combine inside map, many values", job{text: `
			export function map(id, dims, ping, ctx) { for (let i = 0; i < 10000; i++) ctx.write(i % 3, 1) }
			export function combine(k, v, ctx) { ctx.write(k, v.reduce((a, b) => a + b)) }
			export function reduce(k, v, ctx) { ctx.write(k, [v.length, v.reduce((a, b) => a + b)]) }`,
			records: []string{pingA, pingB}}, "0\t[2,6668]\n1\t[2,6666]\n2\t[2,6666]\n"},
		{"combine may drop and keep several", job{text: `
			export function map(id, dims, ping, ctx) { ctx.write("drop", 1); ctx.write("drop", 2); ctx.write("keep", 2); ctx.write("keep", 1); ctx.write("one", 1) }
			export function combine(k, v, ctx) { if (k === "keep") for (const x of v.sort()) ctx.write(k, x) }
			export function reduce(k, v, ctx) { ctx.write(k, v) }`, records: []string{pingA}}, "keep\t[1,2]\none\t[1]\n"},
		{"values as an array", job{text: `
			export function map(id, dims, ping, ctx) { for (let i = 0; i < 40000; i++) ctx.write("k", i) }
			export function reduce(k, v, ctx) {
				let n = 0
				for (let i = 0; i < v.length; i += 999) n += v[i]
				ctx.write("stride", n)
				ctx.write("back", [v[v.length - 1], v[0], v[39999], v[20000]])
				ctx.write("sum", v.reduce((a, b) => a + b))
				ctx.write("of", [...v].length)
				v.sort((a, b) => b - a)
				ctx.write("sorted", v.slice(0, 2))
				v.push("x")
				ctx.write("pushed", [v.length, v[40000]])
			}`, records: []string{pingA}}, "stride\t819180\nback\t[39999,0,39999,20000]\nsum\t799980000\nof\t40000\nsorted\t[39999,39998]\npushed\t[40001,\"x\"]\n"},
		{"the library", job{text: `
			import { median, quantile, mean, sum, stddev, count } from "stats"
			import { stringify, parse } from "csv"
			import * as histogram from "histogram"
			export function map(id, dims, ping, ctx) { for (const n of [4, 1, 3, 2]) ctx.write("n", n); ctx.write("h", [1, 0, 5, -1, -1, -1, -1]); ctx.write("h", [1, 2, -1, 7, -1, -1, -1]) }
			export function reduce(k, v, ctx) {
				if (k === "n") ctx.write(k, [median(v), quantile(v, 1), mean(v), sum(v), sum([0.5, 1]), stddev([1, 3]), count(["a", "a"]), stringify(["a,b", 1]), parse('"x ""y""",z\n1')])
				else { const h = histogram.sum(v); ctx.write(k, [h, histogram.samples(h), histogram.percentile(h, [0, 10], 50), histogram.sum([[1], [2]])]) }
			}`, records: []string{pingA}}, "h\t[[2,2,5,7,-1,-1,-1],4,10,[3]]\nn\t[2.5,4,2.5,10,1.5,1.4142135623730951,{\"a\":2},\"\\\\\"a,b\\\\\",1\",[[\"x \\\\\"y\\\\\"\",\"z\"],[\"1\"]]]\n"},
		{"default export", job{text: `export default { map(id, dims, ping, ctx) { ctx.write(id, 1) } }`, records: []string{pingA}}, "a\t1\n"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := tt.job.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("output:\n%q, want\n%q", got, tt.want)
			}
		})
	}
}

func TestFilters(t *testing.T) {
	other := enginetest.Dims
	other[schema.Channel] = "release"
	src := memory.Source{enginetest.Lines("s1", pingA, pingB), {Path: "s2", Dims: other, Frames: []string{pingA + "\n"}}}
	const count = `export function map(id, dims, ping, ctx) { ctx.write([dims.appUpdateChannel, id], 1) }`
	tests := []struct{ name, filter, want string }{
		{"dimensions", `export const dimensions = [{field_name: "reason", allowed_values: "saved-session"}, {field_name: "appName", allowed_values: "*"}, {field_name: "appUpdateChannel", allowed_values: ["release"]}]`, "release\ta\t1\n"},
		{"accept", `export function accept(dims) { return dims.appUpdateChannel === "nightly" }`, "nightly\ta\t1\nnightly\tb\t1\n"},
		{"match", `export function match(id, dims, ping) { return ping.info.OS === "WINNT" && dims[2] !== "release" }`, "nightly\ta\t1\n"},
		{"plain functions", `function match(id) { return id === "b" }`, "nightly\tb\t1\n"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := job{text: count, src: src, filter: tt.filter}.run(t.Context())
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}

	for name, filter := range map[string]string{
		"exports nothing": `export const x = 1`,
		"bad dimensions":  `export const dimensions = [{field_name: "nope", allowed_values: "*"}]`,
		"match throws":    `export function match(id, dims, ping) { return ping.nope.x }`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := (job{text: count, src: src, filter: filter}).run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "filter.js:") {
				t.Errorf("error %v, want one that begins with filter.js:", err)
			}
		})
	}
}

func TestConsole(t *testing.T) {
	_, log, err := job{text: `console.log("load", {a: [1]}); export function map(id) { console.error("map", id, null) }`, records: []string{pingA},
		opts: engine.Options{Mappers: 1, Reducers: 1, Memory: 1, Log: engine.DefaultOptions().Log}}.run(t.Context())
	want := "log: load {\"a\":[1]}\nerror: map a null\nlog: load {\"a\":[1]}\n"
	if err != nil || log != want {
		t.Errorf("console %q, %v, want %q", log, err, want)
	}
}

// limited are limits that only what never ends exceeds, however busy the machine
// is: calls are short where that is what a test waits for.
func limited(l script.Limits, want error) script.Limits {
	l.Call = time.Minute
	if want == script.ErrTimeout {
		l.Call = 50 * time.Millisecond
	}
	return l
}
