package script_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// TestErrors pins what a person sees.
func TestErrors(t *testing.T) {
	tests := []struct {
		name, file, text string
		want             string // of Error
		detail           string // contained in Detail
		is               error
	}{
		{"throwing map", "scripts/job.js",
			"export function map(id, dims, ping, ctx) {\n\tconst x = f(ping)\n}\nfunction f(p) { return p.nope.OS }",
			"scripts/job.js:4:31: map: TypeError: Cannot read property 'OS' of undefined (record a in seg000:1)",
			"    4 | function f(p) { return p.nope.OS }\n      |                               ^\n    at f (scripts/job.js:4:31)\n    at map (scripts/job.js:2:12)\n", nil},
		{"TypeScript keeps its own lines", "job.ts",
			"interface Foo {\n  a: number\n}\ntype T = Foo\n\nexport function map(id: string) {\n  throw new RangeError(`bad ${id}`)\n}",
			"job.ts:7:9: map: RangeError: bad a (record a in seg000:1)", "at map (job.ts:", nil},
		{"thrown string", "t.js", "export function map() { throw 'up' }", "t.js:1:25: map: threw up (record a in seg000:1)", "", nil},
		{"thrown object with a throwing toString", "t.js", "export function map() { throw { toString() { throw 1 } } }",
			"t.js:1:25: map: threw a value that cannot be shown (record a in seg000:1)", "", nil},
		{"syntax error", "t.js", "export function map( {\n}", "t.js:2:2: compile: Expected \")\" but found end of file", "", nil},
		{"TypeScript syntax in JavaScript", "t.js", "export function map(id: string) {}", "t.js:1:23: compile: Expected \")\" but found \":\"", "    1 | export function map(id: string) {}\n      |                       ^\nAs TypeScript it would be right: name the file t.ts.\n", nil},
		{"top level throws", "t.js", "const x = null.y; export function map() {}", "t.js:1:16: load: TypeError: Cannot read property 'y' of undefined", "", nil},
		{"no map", "t.js", "export function mop() {}", "t.js: load: the script has no function map", "It exports mop.\nDid you mean map where it has mop?\n", nil},
		{"misspelt ctx.write", "t.js", "export function map(id, d, p, ctx) { ctx.wirte(1, 1) }", "t.js:1:42: map: TypeError: Object has no member 'wirte' (record a in seg000:1)", "Did you mean write?\n", nil},
		{"missing section", "t.js", "export function map(id, d, p, ctx) { ctx.write(p.payload.info, 1) }", "t.js:1:58: map: TypeError: Cannot read property 'info' of undefined (record a in seg000:1)", "?.info gives undefined", nil},
		{"another host's global", "t.js", "export function map() { fetch('http://x') }", "t.js:1:25: map: ReferenceError: fetch is not defined (record a in seg000:1)", "There is no fetch here: a script has no network.\n", nil},
		{"no exports", "t.js", "let x = 1", "t.js: load: the script has no function map", "It exports nothing", nil},
		{"missing import", "t.js", "import { x } from './nope.js'; export function map() {}", "t.js:1:19: compile: there is no file \"./nope.js\" to import", "", nil},
		{"reduce throws", "t.js", "export function map(id, d, p, ctx) { ctx.write(['k', 1], 1) }\nexport function reduce(k, v, ctx) { v.nope() }",
			"t.js:2:39: reduce: TypeError: Object has no member 'nope' (key [\"k\",1])", "", nil},
		{"combine throws", "t.js", "export function map(id, d, p, ctx) { ctx.write(1, 1); ctx.write(1, 2) }\nexport function combine() { throw new Error('no') }",
			"t.js:2:35: combine: Error: no (key 1)", "", nil},
		{"combine throws inside map", "t.js", "export function map(id, d, p, ctx) { for (;;) ctx.write(1, 1) }\nexport function combine() { throw new Error('no') }",
			"t.js:2:35: combine: Error: no (key 1)", "", nil},
		{"combine writes another key", "t.js", "export function map(id, d, p, ctx) { ctx.write(1, 1); ctx.write(1, 2) }\nexport function combine(k, v, ctx) { ctx.write('x', 1) }",
			"t.js:2:42: combine: TypeError: combine was called with key 1 but wrote key \"x\" (key 1)", "", nil},
		{"async map", "t.js", "export async function map() { throw new Error('lost') }",
			"t.js: map: map returned a promise: it must not be async (record a in seg000:1)", "", nil},
		{"writeline in map", "t.js", "export function map(id, d, p, ctx) { ctx.writeline(1) }",
			"t.js:1:42: map: TypeError: ctx.writeline is for reduce; in map use ctx.write(key, value) (record a in seg000:1)", "", nil},
		{"an object as key", "t.js", "export function map(id, d, p, ctx) { ctx.write({}, 1) }",
			"t.js:1:42: map: TypeError: a key must be a string, number, boolean, null or an array of these, not an object (record a in seg000:1)", "", nil},
		{"a function as value", "t.js", "export function map(id, d, p, ctx) { ctx.write(1, map) }",
			"t.js:1:42: map: TypeError: cannot write a Function: write a plain object or an array (record a in seg000:1)", "", nil},
		{"a Map as value", "t.js", "export function map(id, d, p, ctx) { ctx.write(1, new Map()) }",
			"t.js:1:42: map: TypeError: cannot write a Map: write a plain object or an array (record a in seg000:1)", "", nil},
		{"a symbol", "t.js", "export function map(id, d, p, ctx) { ctx.write(Symbol('x'), 1) }",
			"t.js:1:42: map: TypeError: cannot write a symbol: write its string or number (record a in seg000:1)", "", nil},
		{"a BigInt", "t.js", "export function map(id, d, p, ctx) { ctx.write(1, 10n) }",
			"t.js:1:42: map: TypeError: cannot write a BigInt: write its string or number (record a in seg000:1)", "", nil},
		{"a cycle", "t.js", "export function map(id, d, p, ctx) { const a = []; a.push(a); ctx.write(1, a) }",
			"t.js:1:67: map: TypeError: cannot write a value that nests deeper than 100 levels, or refers to itself (record a in seg000:1)", "", nil},
		{"changing dims", "t.js", "export function map(id, dims) { dims[0] = 'x' }",
			"t.js:1:33: map: TypeError (record a in seg000:1)", "", nil},
		{"endless loop", "t.js", "export function map() { try { while (true) {} } catch { } finally { while (true) {} } }",
			"call time limit exceeded: 50ms (record a in seg000:1)", "", script.ErrTimeout},
		{"endless recursion", "t.js", "export function map() { map() }",
			"t.js:1:25: map: RangeError: maximum call stack size exceeded (record a in seg000:1)", "", script.ErrStack},
		{"throwing getter in a value", "t.js", "export function map(id, d, p, ctx) { ctx.write(1, { get x() { throw new Error('got') } }) }",
			"t.js:1:69: map: Error: got (record a in seg000:1)", "", nil},
		{"generator map", "t.js", "export function* map() {}",
			"t.js: map: map returned a generator, which nobody runs: write function, not function* (record a in seg000:1)", "", nil},
		{"lost rejection", "t.js", "export function map() { Promise.resolve().then(() => { throw new Error('lost') }) }",
			"t.js: map: a promise was rejected, and nobody caught it: Error: lost (record a in seg000:1)", "", nil},
		{"reduce that is no function", "t.js", "export function map() {}\nexport const combine = 5", "t.js: load: combine is exported, but is no function: 5", "", nil},
		{"default function", "t.js", "export default function map() {}", "t.js: load: the script has no function map",
			"It exports default.\nA default export counts if it is an object with map: else write export function map(id, dims, ping, ctx) { … }.\n", nil},
		{"no value", "t.js", "export function map(id, d, p, ctx) { ctx.write(id) }", "t.js:1:42: map: TypeError: ctx.write takes a key and a value (record a in seg000:1)", "", nil},
		{"thrown object", "t.js", "export function map() { throw { code: 5 } }", `t.js:1:25: map: threw {"code":5} (record a in seg000:1)`, "", nil},
		{"await", "t.js", "const x = await 5; export function map() {}", "t.js:1:11: compile: await has nothing to wait for here: a script has no files, no network and no clock", "", nil},
		{"reduce that returns", "t.js", "export function map(id, d, p, ctx) { ctx.write(1, 1) }\nexport const reduce = (k, v) => v.length",
			"t.js: reduce: reduce returned a value, which nobody reads, and wrote none: ctx.write(key, value) (key 1)", "", nil},
		{"combine that returns", "t.js", "export function map(id, d, p, ctx) { ctx.write(1, 1); ctx.write(1, 2) }\nexport const combine = (k, v) => v.length",
			"t.js: combine: combine returned a value, which nobody reads, and wrote none: ctx.write(key, value) (key 1)", "", nil},
		{"missing function of the library", "t.js", "import { sumx } from 'stats'; export function map() { sumx() }", "t.js:1:10: compile: \"stats\" has no sumx", "Did you mean sum?\n", nil},
		{"polluted toISOString", "t.js", "export function map(id, d, p, ctx) { Date.prototype.toISOString = 1; ctx.write(1, new Date()) }",
			"t.js:1:74: map: TypeError: cannot write a Date: write a plain object or an array (record a in seg000:1)", "", nil},
		{"a ping kept for later", "t.js", "let old\nexport function map(id, d, p, ctx) { old = p }\nexport function mapFinished(ctx) { ctx.write(1, old.ver) }",
			"t.js:3:53: mapFinished: this ping is gone: a ping is valid during its own map call only (copy what you keep) (after the last record of seg000)", "", nil},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := job{name: tt.file, text: tt.text, records: []string{pingA}, limits: limited(script.Limits{Stack: 500}, tt.is)}.run(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("error\n     %s\nwant %s", err, tt.want)
			}
			e, ok := errors.AsType[*script.Error](err)
			if !ok {
				t.Fatalf("%T is no *script.Error", err)
			}
			if !strings.Contains(e.Detail(), tt.detail) {
				t.Errorf("detail\n%s\nwant\n%s", e.Detail(), tt.detail)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}

// TestMalformedJSON: what is wrong with a record is said when it is touched.
func TestMalformedJSON(t *testing.T) {
	for _, text := range []string{`{"info":`, `{"info" 1}`, `{`, ``, `nonsense`, `{"info":{"OS":tru`} {
		_, _, err := job{text: `export function map(id, d, ping, ctx) { ctx.write(ping.info.OS, 1) }`, records: []string{"a\t" + text}}.run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "record a in seg000:1") {
			t.Errorf("%q: error %v", text, err)
		}
	}

	if _, _, err := (job{text: `export function map(id, d, ping, ctx) { ctx.write(id, 1) }`, records: []string{"a\tnot looked at"}}).run(t.Context()); err != nil {
		t.Errorf("untouched text: %v", err)
	}
}

func TestCancelInterruptsTheScript(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, _, err := job{text: `export function map() { for (;;); }`, records: []string{pingA, pingB}}.run(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestMaxErrorsTakesBackWhatARejectedRecordEmitted(t *testing.T) {
	o := engine.DefaultOptions()
	o.MaxErrors = 2
	text := `export function map(id, d, p, ctx) { ctx.write("n", 1); if (id === "a") throw new Error("no") }
		export function reduce(k, v, ctx) { ctx.write(k, v.length) }`
	got, _, err := job{text: text, records: []string{pingA, pingB, pingA}, opts: o}.run(t.Context())
	if err != nil || got != "n\t1\n" {
		t.Errorf("got %q, %v", got, err)
	}

	o.MaxErrors = 1
	if _, _, err := (job{text: text, records: []string{pingA, pingB, pingA}, opts: o}).run(t.Context()); err == nil {
		t.Error("two errors were tolerated where one may be")
	}
}
