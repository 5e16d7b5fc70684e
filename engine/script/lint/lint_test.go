package lint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
	"github.com/aitgithub/telemetry-server/filters"
	"github.com/aitgithub/telemetry-server/scripts"
)

// oneHistogram knows the definition of one histogram.
type oneHistogram struct{}

func (oneHistogram) Known(name string) (near string, ok bool) {
	return suggest.Nearest(name, []string{"GC_MS"}), name == "GC_MS"
}

// TestCheck: each check finds something in one of the scripts.
func TestCheck(t *testing.T) {
	found := map[string]bool{}
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "export function map(id, dims, ping, ctx) { ctx.write([id, dims], { a: 1 }) }", ""},
		{"syntax", "export function map( {", `x.js:1:23: compile: Expected identifier but found end of file`},
		{"top level throws", "null.x; export function map() {}", "x.js:1:6: load: TypeError: Cannot read property 'x' of"},
		{"no map", "export function mop() {}", "x.js: load: the script has no function map"},
		{"a filter", "export function match(id) { return true }", ""},
		{"an ingest filter", "export function ingest(id, dims, ping) { return 'drop' }", ""},
		{"a filter with bad dimensions", "export const dimensions = ['nightly']", "x.js: load: dimensions: not a dimension schema: "},
		{"an object as key", "export function map(id, dims, ping, ctx) {\n\tctx.write({ id }, 1)\n}",
			"x.js:2:12: error: a key must be a string, number, boolean, null or an array of these, not an object"},
		{"an object in an array key", "function map(key, dims, value, cx) { cx.write([key, {}], 1) }",
			"x.js:1:53: error: a key must be a string, number, boolean, null or an array of these, not an object"},
		{"an object as key in reduce", "export function map() {}\nexport function reduce(k, v, ctx) { ctx.write({ k }, 1) }", ""},
		{"a Map as value", "export const map = (id, dims, ping, ctx) => ctx.write(1, new Map())", "x.js:1:58: error: cannot write a Map: write a plain object or an array"},
		{"a function as value", "export function map(id, dims, ping, ctx) { ctx.write(1, () => 1) }", "x.js:1:57: error: cannot write a function: write a plain object or an array"},
		{"a member that ctx has not", "export function map(id, dims, ping, context) { context.wirte(1, 1) }", "x.js:1:56: error: ctx has no member wirte: did you mean write?"},
		{"a member that dims has not", "export function map(id, dims, ping, ctx) { ctx.write(dims.channel, dims.appName + dims.length) }",
			"x.js:1:59: error: dims has no member channel: it has reason, appName, appUpdateChannel, appVersion, appBuildID, submission_date"},
		{"another object's member", "export function map(id, dims, ping, ctx) { ping.wirte }", ""},
		{"a counter", "let n = 0\nexport function map(id, dims, ping, ctx) { n++; n += 1 }", "x.js:2:44: warning: n is kept from one call"},
		{"an object", "const seen = {}\nexport function map(id, dims, ping, ctx) { see(id) }\nfunction see(id) { seen[id].n = 1 }", "x.js:3:20: warning: seen is kept"},
		{"a Set", "const seen = new Set()\nexport function map(id, dims, ping, ctx) { seen.add(id) }", "x.js:2:44: warning: seen is kept"},
		{"a cache by key", "const cache = {}\nexport function map(id, dims, ping, ctx) { ctx.write((cache[dims.appName] ||= dims.appName + '!'), 1) }", ""},
		{"a cache of another", "const cache = {}, other = {}\nexport function map(id, dims, ping, ctx) { cache[id] || (other[id] = 1) }", "x.js:2:58: warning: other is kept"},
		{"gathered for mapFinished", "let n = 0\nexport function map() { n++ }\nexport function mapFinished(ctx) { ctx.write('n', n) }", ""},
		{"gathered in reduce", "let n = 0\nexport function map() {}\nexport function reduce() { n++ }", "x.js:3:28: warning: n is kept from one key to the next, but not for all keys"},
		{"gathered for reduceFinished", "let n = 0\nexport function map() {}\nexport function reduce() { n++ }\nexport function reduceFinished(ctx) { ctx.write('n', n) }", ""},
		{"gathered in map for reduceFinished", "let n = 0\nexport function map() { n++ }\nexport function reduceFinished(ctx) { ctx.write('n', n) }", "x.js:2:25: warning: n is kept from one call"},
		{"made at the top level", "const table = []\nfor (let i = 0; i < 9; i++) table.push(i)\nexport function map(id, dims, ping, ctx) { ctx.write(table[0], 1) }", ""},
		{"a local of that name", "let n = 0\nexport function map(id, dims, ping, ctx) { let n = 0; n++ }", ""},
		{"no clock", "export function map(id, dims, ping, ctx) { ctx.write(Date.now(), new Date()) }", "x.js:1:54: warning: Date.now() is always 0: there is no clock\nx.js:1:66: warning: new Date() is always 1970: there is no clock"},
		{"an undefined name", "export function map(id, dims, ping, ctx) { ctx.write(idd, 1) }", "x.js:1:54: warning: idd is not defined; did you mean id?"},
		{"an absent global", "export function map(id, dims, ping, ctx) { ctx.write(new Intl.NumberFormat(), 1) }", "x.js:1:58: warning: Intl is not there"},
		{"names that are defined", "let a = 1; class B { c() { return B } }\nexport function map(id, { reason }, ping, ctx) { x: for (const [k, v] of Object.entries(ping)) { try { ctx.write(k, v) } catch (e) { console.log(e, a, reason, typeof nothing, new B(), new.target, {a}, /x/, globalThis) } break x } }", ""},
		{"an async map", "export async function map(id, dims, ping, ctx) { ctx.write(id, 1) }", "x.js:1:23: error: map cannot be async"},
		{"arguments in another order", "export function map(id, ping, dims, ctx) { ctx.write(id, ping.info) }", "x.js:1:25: warning: ping is argument 3 of map, and stands here as argument 2"},
		{"a map that returns", "export function map(id, dims, ping, ctx) { if (!ping.info) return; return ping.info.OS }", "x.js:1:68: warning: what map returns goes nowhere"},
		{"percent", "import { quantile } from 'stats'\nexport function map(id, dims, ping, ctx) { ctx.write(id, quantile([1], 95)) }", "x.js:2:72: warning: quantile takes a share"},
		{"not exported", "export function map(id, dims, ping, ctx) { ctx.write(id, 1) }\nfunction reduce(k, v, ctx) {}", "x.js:2:1: warning: reduce is not exported"},
		{"what esbuild says", "export function map(id, dims, ping, ctx) { if (ping.n == NaN) ctx.write(id, 1) }", "x.js:1:55: warning: Comparison with NaN"},
		{"a histogram that no definition has", "export function map(id, dims, ping, ctx) { ctx.write(id, ping.histogram('GC_MSS').sum) }", "x.js:1:73: warning: no histogram definition has the name GC_MSS; did you mean GC_MS?"},
		{"in a function of its own", "export function map(id, dims, p, ctx) { ctx.write(id, gc(p)) }\nconst gc = (q) => q?.layout('OTHER') + q.histogram('GC_MS').sum", "x.js:2:29: warning: no histogram definition has the name OTHER"},
		{"two", "let a = 0\nexport function map(id, dims, ping, ctx) { ctx.write({}, a++) }", "x.js:2:54: error: a key must"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			findings, err := Check(t.Context(), "x.js", tt.text, script.DefaultLimits(), oneHistogram{})
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, f := range findings {
				lines = append(lines, f.Err.Error())
				found[f.check] = true
			}

			got := strings.Join(lines, "\n")
			if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			for _, f := range findings {
				if f.Severe == strings.Contains(f.Err.Error(), ": warning: ") {
					t.Errorf("%v: severe is %v", f.Err, f.Severe)
				}
			}
		})
	}

	for _, check := range checks {
		if !found[check.name] {
			t.Errorf("no script here has a finding of the check %q", check.name)
		}
	}
}

func TestCheckTypeScript(t *testing.T) {
	findings, err := Check(t.Context(), "x.ts", "interface A {\n a: number }\n\nexport function map(id: string, dims: any, ping: A, ctx: any): void {\n  ctx.write({ id }, 1)\n}", script.DefaultLimits(), oneHistogram{})
	if err != nil || fmt.Sprint(findings) == "[]" || !strings.HasPrefix(findings[0].Err.Error(), "x.ts:5:13: error") {
		t.Errorf("%v, %v", findings, err)
	}
}

// TestShippedScriptsAreClean: what ships has no warnings.
func TestShippedScriptsAreClean(t *testing.T) {
	check := func(name string, text []byte) {
		findings, err := Check(t.Context(), name, string(text), script.DefaultLimits(), oneHistogram{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			t.Error(f.Err)
		}
	}

	entries, err := scripts.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}

	for _, e := range entries {
		text, err := scripts.FS.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		check(e.Name(), text)
	}

	text, err := filters.FS.ReadFile("windows_release.js")
	if err != nil {
		t.Fatal(err)
	}

	check("windows_release.js", text)
}

// TestCheckKnowsEveryFunction: in each declared function, members that ctx or
// dims does not have are found.
func TestCheckKnowsEveryFunction(t *testing.T) {
	for _, e := range declare.Exports() {
		for _, name := range e.Names() {
			for _, p := range e.Parameters {
				if p.Name != "ctx" && p.Name != "dims" {
					continue
				}
				signature := strings.Replace(e.Signature(), e.Name, name, 1)
				text := "export function " + signature + " { " + p.Name + ".none }"
				if e.Name != declare.Map && e.Of == declare.Job {
					text += "\nexport function map() {}"
				}
				findings, err := Check(t.Context(), "x.js", text, script.DefaultLimits(), oneHistogram{})
				if err != nil || len(findings) != 1 || !strings.Contains(findings[0].Err.Message, p.Name+" has no member none") {
					t.Errorf("%s: findings %v, %v", text, findings, err)
				}
			}
		}
	}
}
