package script_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/script"
)

// withFiles compiles a script in a folder with other files.
func withFiles(t *testing.T, text string, files map[string]string) *script.Script {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	compiled, err := script.Compile(filepath.Join(dir, "test.js"), text)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

const importedJSON = `{"b":1,"10":[1,{"x":null,"z":-0}],"class":"cl","__proto__":{"p":1},"a-b":true,"default":"d"}`

// TestImportedData compares what a script sees of a data file with what it sees of the
// same value, parsed and frozen deeply by JavaScript.
func TestImportedData(t *testing.T) {
	compiled := withFiles(t, `
		import data, { b, class as named } from "./data.json"
		import * as all from "./data.json"
		import rows from "./rows.csv"
		const required = require("./data.json")
		const freeze = (o) => { if (o && typeof o === "object") Object.values(o).forEach(freeze), Object.freeze(o); return o }
		const ownData = freeze(JSON.parse('`+importedJSON+`'))
		const ownRows = freeze([{ v: "28", d: "x" }, { v: "29", d: "y" }])
		const symbol = Symbol()

		const looks = {
			reading: (d) => [d.b, d["10"][1].x, d[10].length, d.nothing, d["a-b"], d[10][2], Object.is(d[10][1].z, -0)],
			json: (d, r) => JSON.stringify([d.b, r]) + JSON.stringify(d[10], null, 1),
			frozen: (d, r) => [d, d[10], r, r[0]].map((o) => [Object.isFrozen(o), Object.isSealed(o), Object.isExtensible(o), Object.freeze(o) === o].join()),
			set: (d) => { d.b = 2 }, add: (d) => { d.q = 2 }, increment: (d) => { d.b++ }, remove: (d) => delete d.b, removeNothing: (d) => delete d.zz,
			push: (d, r) => r.push(1), sort: (d, r) => r.sort((x, y) => y.v - x.v), reverse: (d, r) => r.reverse(), pop: (d, r) => r.pop(),
			length: (d, r) => { r.length = 0 }, element: (d, r) => { r[0] = 1 }, cell: (d, r) => { r[0].v = 1 }, symbol: (d) => { d[symbol] = 1 },
			assign: (d) => Object.assign(d, { b: 3 }), define: (d) => Object.defineProperty(d, "b", { value: 3 }), fill: (d, r) => r.fill(0),
			descriptor: (d) => JSON.stringify(Object.getOwnPropertyDescriptor(d, "b")),
			copies: (d, r) => { const c = { ...r[0], n: 1 }; c.v = "z"; return [c.v, r[0].v, [...r].reverse()[0].v, structuredClone(r)[1].d, Object.assign({}, d).b] },
			arrays: (d, r) => [Array.isArray(r), r.find((x) => x.v === "29").d, r.indexOf(r[1]), r[1] === r[1], [].concat(r).length, [r, r].flat().length, r.map((x) => x.v).join(), r.reduce((n, x) => n + Number(x.v), 0)],
			objects: (d, r) => [Object.entries(r[0]).join("|"), "b" in d, "q" in d, d.hasOwnProperty("b"), Object.getPrototypeOf(d) === Object.prototype, Object.keys(Object.groupBy(r, (x) => x.v)).join()],
			destructuring: (d, r) => { const { v, ...rest } = r[0]; const [, second] = r; return [v, JSON.stringify(rest), second.v] },
			iterating: (d, r) => { let s = ""; for (const { v } of r) s += v; for (const name in r[0]) s += name; for (const i in r) s += i; return s },
			proto: (d) => Object.keys(d["__proto__"]).join(),
		}
		const outcome = (f, d, r) => { try { return JSON.stringify(f(d, r)) ?? "undefined" } catch (e) { return e.name } }

		export function map(id, dims, ping, ctx) {
			for (const [name, look] of Object.entries(looks)) {
				const got = outcome(look, data, rows), want = outcome(look, ownData, ownRows)
				if (got !== want) ctx.write(name, got + " but want " + want)
			}
			ctx.write("names", [b, named, all.b, all.default === data, all["a-b"], required === data, Object.keys(data).join(), Object.keys(all).join()])
			ctx.write("written", [data[10], rows[1]])
		}`, map[string]string{"data.json": importedJSON, "rows.csv": "v,d\n28,x\n29,y\n"})

	out, _, err := job{compiled: compiled, records: []string{pingA}}.run(t.Context())
	want := "names\t" + `[1,"cl",1,true,true,true,"b,10,class,__proto__,a-b,default","default,b,10,class,__proto__,a-b"]` +
		"\nwritten\t" + `[[1,{"x":null,"z":0}],{"v":"29","d":"y"}]` + "\n"
	if err != nil || out != want {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestImportedDataIsShared: a task pays nothing for the size of a data file, however it
// is imported.
func TestImportedDataIsShared(t *testing.T) {
	start := func(statement string, members int) float64 {
		var text strings.Builder
		text.WriteString("{")
		for i := range members {
			fmt.Fprintf(&text, "%q:{\"a\":%d},", fmt.Sprint("name", i), i)
		}
		text.WriteString(`"last":{"a":1}}`)

		compiled := withFiles(t, statement+"\nconst last = data.last.a\nexport function map() { return last + data[last] }", map[string]string{"data.json": text.String()})
		return testing.AllocsPerRun(3, func() {
			if _, err := compiled.Exports(t.Context(), script.DefaultLimits()); err != nil {
				t.Fatal(err)
			}
		})
	}

	for _, statement := range []string{
		`import data from "./data.json"`, `import * as data from "./data.json"`, `const data = require("./data.json")`,
		`import data, { name1 } from "./data.json"; name1`,
	} {
		small := start(statement, 10)
		large := start(statement, 5000)
		if large > small+20 {
			t.Errorf("%s: %.0f allocations for a start with 10 members, %.0f with 5,000", statement, small, large)
		}
	}
}

// TestImportedDataIdentifiesTheScript: the key of cached results follows the content.
func TestImportedDataIdentifiesTheScript(t *testing.T) {
	const text = `import rows from "./rows.csv"; export function map() { return rows }`
	one := withFiles(t, text, map[string]string{"rows.csv": "a\n1\n"})
	other := withFiles(t, text, map[string]string{"rows.csv": "a\n2\n"})
	if one.Hash() == other.Hash() || len(one.Imports) != 1 || filepath.Base(one.Imports[0]) != "rows.csv" {
		t.Errorf("%x, %x, imports %q", one.Hash(), other.Hash(), one.Imports)
	}
}

// TestLargeLiteralsAreWarnedOf: each task evaluates them.
func TestLargeLiteralsAreWarnedOf(t *testing.T) {
	table := "export const table = {" + strings.Repeat("\n\"a name\": \"a value of twenty\",", 10_000) + "}"
	compiled := withFiles(t, `import { table } from "./table.js"; export function map() { return table }`, map[string]string{"table.js": table})
	found := false
	for _, warning := range compiled.Warnings {
		found = found || filepath.Base(warning.File) == "table.js" && strings.Contains(warning.Message, "at the start of each task")
	}
	if !found {
		t.Errorf("warnings %v", compiled.Warnings)
	}
}
