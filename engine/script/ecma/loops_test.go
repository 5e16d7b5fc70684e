package ecma_test

import (
	"testing"

	"github.com/dop251/goja"
)

// plain runs a script as goja alone does.
func plain(script string) string {
	rt := goja.New()
	rt.SetMaxCallStackSize(2048)
	program, err := goja.Compile("test.js", script, true)
	if err != nil {
		return "compile: " + err.Error()
	}
	v, err := rt.RunProgram(program)
	if err != nil {
		return err.(*goja.Exception).Value().String()
	}

	return v.String()
}

// TestLoopsAreIterators runs loops and destructuring as they are compiled, and as goja
// alone runs them.
func TestLoopsAreIterators(t *testing.T) {
	const output = "const out = []; "
	tests := []string{
		`for (const x of [1, 2, 3]) out.push(x)`,
		`for (let x of [1, 2, 3]) { x++; out.push(x) }`,
		`for (var x of [1, 2, 3]) out.push(x); out.push(x)`,
		`for (const x of [1, 2, 3]) { try { x = 1 } catch (e) { out.push(String(e)) } }`,
		`for (const x of [1, , 3]) out.push(x)`,
		`Object.prototype[1] = "inherited"; for (const x of [1, , 3]) out.push(x)`,
		`const a = [1, 2]; for (const x of a) { out.push(x); if (a.length < 5) a.push(x * 10) }`,
		`const a = [1, 2, 3]; for (const x of a) { out.push(x); a.pop() }`,
		`let a = [1, 2, 3]; for (const x of a) { a = [7, 8, 9]; out.push(x) }`,
		`for (const x of [1, 2, 3, 4]) { if (x === 2) continue; if (x === 4) break; out.push(x) }`,
		`outer: for (const x of [1, 2]) for (const y of [1, 2, 3]) { if (y === 2) continue outer; out.push([x, y]) }`,
		`outer: for (const x of [1, 2]) { for (const y of [1, 2, 3]) { if (y === 2) break outer; out.push([x, y]) } }`,
		`const fs = []; for (const x of [1, 2, 3]) fs.push(() => x); out.push(...fs.map((f) => f()))`,
		`const fs = []; for (let x of [1, 2, 3]) fs.push(() => x++); out.push(...fs.map((f) => f() + f()))`,
		`function f(a) { for (const x of a) if (x > 1) return x; return "none" } out.push(f([1, 2]), f([]), f(new Set([1, 5])))`,
		`function* g() { try { yield 1; yield 2; yield 3 } finally { out.push("closed") } } for (const x of g()) { out.push(x); if (x === 2) break }`,
		`function* g() { try { yield 1 } finally { out.push("closed") } } try { for (const x of g()) throw x } catch (e) { out.push("caught " + e) }`,
		`for (const x of "a😀b") out.push(x)`,
		`for (const x of new Map([[1, 2], [3, 4]])) out.push(x.join())`,
		`for (const [k, v] of new Map([[1, 2], [3, 4]])) out.push(k + v)`,
		`for (const [k, v] of Object.entries({ a: 1, b: [2] })) out.push(k, v)`,
		`for (const [k, [v, w]] of [["a", [1, 2]]]) out.push(k, v, w)`,
		`for (const [k, v = 5, ...rest] of [["a"], ["b", 2, 3, 4]]) out.push(k, v, rest)`,
		`for (const { a, b: [c] } of [{ a: 1, b: [2] }]) out.push(a, c)`,
		`for (const x of new Uint8Array([1, 2])) out.push(x)`,
		`(function () { for (const x of arguments) out.push(x) })(1, 2)`,
		`for (const x of [1, 2].entries()) out.push(x.join())`,
		`try { for (const x of 5) out.push(x) } catch (e) { out.push(String(e)) }`,
		`try { for (const x of undefined) out.push(x) } catch (e) { out.push(String(e)) }`,
		`try { for (const x of { length: 2 }) out.push(x) } catch (e) { out.push(String(e)) }`,
		`for (const x of [[1, 2], [3]]) { const x = 5; out.push(x) }`,
		`for (const a of [[1, 2], [3]]) for (const b of a) for (const c of [b, b]) for (const d of [c]) out.push(d)`,
		`class Stack extends Array {}; const s = new Stack(); s.push(1, 2); for (const x of s) out.push(x)`,
		`const o = {}; for (o.x of [1, 2]) out.push(o.x)`,
		`let x; for (x of [1, 2]) out.push(x); for ([x] of [[3]]) out.push(x)`,
		`const [a, b] = [1]; out.push(a, b)`,
		`const [, a, , b] = [1, 2, 3, 4]; out.push(a, b)`,
		`let [a, b] = [1, 2]; [a, b] = [b, a]; out.push(a, b)`,
		`const [] = [1]; const [a] = "xyz", [b, c] = new Set([a, 2]); out.push(a, b, c)`,
		`function* g() { try { yield 1; yield 2 } finally { out.push("closed") } } const [a] = g(); out.push(a)`,
		`function* g() { try { yield 1 } finally { out.push("ended") } } const [a, b, c] = g(); out.push(a, b, c)`,
		`function* g() { out.push("started"); yield 1 } const [] = g()`,
		`try { const [a] = undefined } catch (e) { out.push(String(e)) }`,
		`try { const [a] = {} } catch (e) { out.push(String(e)) }`,
		`try { const [a, b] = [() => b, 1]; out.push(a()) } catch (e) { out.push(String(e)) }`,
		`try { for (const x of [x]) out.push(x) } catch (e) { out.push(e.name) }`,
		`const it = [1, 2, 3][Symbol.iterator](); it.next(); for (const x of it) out.push(x)`,
		`Array.prototype[Symbol.iterator] = function* () { yield "changed" }; for (const x of [1]) out.push(x); const [a] = [1]; out.push(a)`,
	}
	for _, test := range tests {
		script := output + test + "; JSON.stringify(out)"
		if got, want := run(t, script), plain(script); got != want {
			t.Errorf("%s\n got %s\nwant %s", test, got, want)
		}
	}
}

func BenchmarkForOf(b *testing.B) {
	script := `function f(list) { let n = 0; for (const x of list) n += x.length; for (const [k, v] of pairs) n += v; return n }
		const pairs = Object.entries({ a: 1, b: 2, c: 3 }), list = Array.from({ length: 1000 }, (_, i) => "x" + i)
		for (let i = 0; i < 100; i++) f(list)`
	b.Run("indexes", func(b *testing.B) {
		for b.Loop() {
			run(b, script)
		}
	})
	b.Run("iterators", func(b *testing.B) {
		for b.Loop() {
			plain(script)
		}
	})
}
