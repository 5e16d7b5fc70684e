package ecma_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/ecma"
)

// run runs a script in a runtime with the environment and returns its last value
// as text, or the error.
func run(t testing.TB, script string) string {
	t.Helper()
	program, err := goja.Parse("test.js", script)
	if err != nil {
		return "parse: " + err.Error()
	}
	features, err := ecma.Prepare(program, script)
	if err != nil {
		return err.Error()
	}
	compiled, err := goja.CompileAST(program, true)
	if err != nil {
		return "compile: " + err.Error()
	}

	rt := goja.New()
	rt.SetMaxCallStackSize(2048)
	e := ecma.Install(rt, features)
	defer e.Close()
	v, err := rt.RunProgram(compiled)
	if err != nil {
		return err.(*goja.Exception).Value().String()
	}

	return v.String()
}

// prepared compiles a script that must compile.
func prepared(t testing.TB, script string) (*goja.Program, ecma.Features) {
	t.Helper()
	program, err := goja.Parse("test.js", script)
	if err != nil {
		t.Fatalf("%v in %s", err, script)
	}
	features, err := ecma.Prepare(program, script)
	if err != nil {
		t.Fatalf("%v in %s", err, script)
	}
	compiled, err := goja.CompileAST(program, true)
	if err != nil {
		t.Fatalf("%v in %s", err, script)
	}

	return compiled, features
}

func TestRegExp(t *testing.T) {
	tests := []struct{ script, want string }{
		{`"a-b-c".replace(/-/g, "+")`, "a+b+c"},
		{`"ä;b".replace(/;/, "$&$&$$")`, "ä;;$b"},
		{`"xxa".replace(/a*?/g, "-")`, "-x-x-a-"},
		{`"2014-02-05".replace(/(\d+)-(\d+)-(\d+)/, "$3.$2.$1 $4 $0")`, "05.02.2014 $4 $0"},
		{`"2014-02".replace(/(?<y>\d+)-(?<m>\d+)/, "$<m>/$<y>$<z>")`, "02/2014"},
		{`"abc".replace(/b/, (m, i, s) => m + i + s)`, "ab1abcc"},
		{`JSON.stringify("a1b2".match(/\d/g))`, `["1","2"]`},
		{`JSON.stringify("a1b2".match(/(\w)(\d)/))`, `["a1","a","1"]`},
		{`"zab".match(/(?<first>a)b/).groups.first + "zab".match(/ab/).index`, "a1"},
		{`JSON.stringify([..."a1b22".matchAll(/\d+/g)].map(m => m[0] + m.index))`, `["11","223"]`},
		{`JSON.stringify("a, b;c".split(/[,;]\s*/))`, `["a","b","c"]`},
		{`JSON.stringify("abc".split(/(b)/))`, `["a","b","c"]`},
		{`JSON.stringify("abc".split(/(?:)/, 2))`, `["a","b"]`},
		{`JSON.stringify("".split(/x/)) + JSON.stringify("".split(/(?:)/))`, `[""][]`},
		{`JSON.stringify("😀a".split(/(?:)/u))`, `["😀","a"]`},
		{`"a.c".search(/\./) + "abc".search("c") + "abc".match("b").index`, "" + "4"},
		{`const re = /a/y; re.lastIndex = 1; re.test("ba") + "," + re.lastIndex`, "true,2"},
		{`const g = /a/g; [g.exec("aa").index, g.lastIndex, g.exec("aa").index, g.exec("aa"), g.lastIndex].join()`, "0,1,1,,0"},
		{`String(new RegExp("a/b[/]\n", "gi"))`, `/a\/b[/]\n/gi`},
		{`String(RegExp("")) + RegExp.prototype + new RegExp(/x/g, "i").flags`, "/(?:)//(?:)/i"},
		{`Object.prototype.toString.call(/a/) + typeof /a/ + (/a/ instanceof RegExp) + (/a/.constructor === RegExp)`, "[object RegExp]objecttruetrue"},
		{`class R extends RegExp { exec(s) { const r = super.exec(s); if (r) r[0] = "X"; return r } } "abc".replace(new R("b"), "[$&]")`, "a[X]c"},
		{`RegExp.escape("a.b-c") + RegExp.escape("1+😀")`, `\x61\.b\x2dc\x31\+😀`},
		{`/(?<=\$)\d+/.exec("€1 $22")[0]`, "22"},
		{`JSON.stringify(/a(?<n>b)?/d.exec("ab").indices.groups)`, `{"n":[1,2]}`},
		{`eval("/\\p{Lu}/u.test('Ä')") + "," + new Function("s", "return /^b/m.test(s)")("a\rb")`, "true,true"},
		{`(() => { const local = 1; return eval("local + /a/.source.length") })()`, "2"},
		{`class C { x = eval("1 + 1") }; new C().x`, "2"},
		{`const set = (o, v) => o.x = v; (() => { const C = class { constructor() { set(this, eval("1 + 1")) } }; return new C().x })()`, "2"},
		{`class D { x = eval("1;\narguments;") }; try { new D() } catch (e) { e.name }`, "ReferenceError"},
		{`"aXbX".replaceAll(/x/gi, "")`, "ab"},
		{`try { "a".replaceAll(/a/, "") } catch (e) { e.name }`, "TypeError"},
		{`try { new RegExp("(") } catch (e) { e.name + (e instanceof SyntaxError) }`, "SyntaxErrortrue"},
		{`try { "a".startsWith(/a/) } catch (e) { e.name }`, "TypeError"},
		{`const RegExp = 1; /a/.test("a")`, "true"},
		{`[/a/g.global, /a/.global, /a/s.dotAll, /a/v.unicodeSets].join()`, "true,false,true,true"},
		{`"abc".replace("b", "$&$&") + "abcb".replaceAll("b", () => "x")`, "abbcaxcx"},
		{`"a\u2028b\rc".split(/^/m).length`, "3"},
	}
	for _, tt := range tests {
		if got := run(t, tt.script); got != tt.want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", tt.script, got, tt.want)
		}
	}
}

func TestLiteralErrors(t *testing.T) {
	for _, script := range []string{`/(/`, `/a/gg`, `/\p{NoSuch}/u`, `let f = () => [/[b-a]/]`} {
		if got := run(t, script); !strings.Contains(got, "invalid regular expression") {
			t.Errorf("%s: got %s, want an error", script, got)
		}
	}
}

func TestInterrupt(t *testing.T) {
	const script = `try { new RegExp("^(a|aa)+$").test("a".repeat(80) + "b") } catch (e) {}; while (true) {}`
	program, err := goja.Parse("", script)
	if err != nil {
		t.Fatal(err)
	}
	features, err := ecma.Prepare(program, script)
	if err != nil {
		t.Fatal(err)
	}

	rt := goja.New()
	e := ecma.Install(rt, features)
	defer e.Close()
	time.AfterFunc(50*time.Millisecond, func() { rt.Interrupt("late"); e.Interrupt() })

	if _, err = rt.RunString(script); err == nil || !strings.Contains(err.Error(), "late") {
		t.Errorf("got %v, want the interrupt", err)
	}
}

func TestSourceIsBounded(t *testing.T) {
	for _, unit := range []string{"(", "[", "{", "-", "a?", "x=>", "a**", "`${", "if(a)", "class A extends "} {
		text := strings.Repeat(unit, 1_000_000/len(unit))
		for _, how := range []string{"eval(t)", "(function*(){}).constructor(t)"} {
			script := "try { " + how + "; 'none' } catch (e) { e.name }"
			program, err := goja.Parse("", script)
			if err != nil {
				t.Fatal(err)
			}
			features, err := ecma.Prepare(program, script)
			if err != nil {
				t.Fatal(err)
			}

			rt := goja.New()
			e := ecma.Install(rt, features)
			rt.Set("t", text[:1<<15])
			compiled, _ := goja.CompileAST(program, true)
			if v, err := rt.RunProgram(compiled); err != nil || !strings.HasSuffix(v.String(), "Error") && v.String() != "none" {
				t.Errorf("%s of %q at the limit: %v, %v", how, unit, v, err)
			}

			rt.Set("t", text)
			if v, err := rt.RunProgram(compiled); err != nil || v.String() != "RangeError" {
				t.Errorf("%s of %q: %v, %v, want RangeError", how, unit, v, err)
			}
			e.Close()
		}
	}
}

func TestNesting(t *testing.T) {
	const deep = `let a = []; for (let i = 0; i < 2_000_000; i++) a = [a];
		const name = f => { try { return f() } catch (e) { return e.name } };
		[() => String(a), () => a.join(), () => a.toLocaleString(), () => a.flat(Infinity).length, () => JSON.stringify(a), () => JSON.stringify(a, ["x"]),
			() => JSON.stringify({toJSON() { return a }}), () => JSON.parse("[".repeat(2500000)), () => eval("[".repeat(2500000))].map(name).join()`
	tests := []struct{ script, want string }{
		{deep, strings.Repeat("RangeError,", 7) + "SyntaxError,RangeError"},
		{`const c = [1]; c.push(c); String(c)`, "1,"},
		{`JSON.stringify({a: [1, {b: undefined, c: new Date(0)}], d: "x"}, null, 1)`, "{\n \"a\": [\n  1,\n  {\n   \"c\": \"1970-01-01T00:00:00.000Z\"\n  }\n ],\n \"d\": \"x\"\n}"},
		{`JSON.stringify({a: 1, b: {a: 2, c: 3}}, ["a", "b"])`, `{"a":1,"b":{"a":2}}`},
		{`JSON.stringify({a: 1, b: [2]}, (k, v) => typeof v == "number" ? v + 1 : v)`, `{"a":2,"b":[3]}`},
		{`const o = {}; o.o = o; try { JSON.stringify(o) } catch (e) { e.name }`, "TypeError"},
		{`[1, [2, [3, [4]]]].flat(Infinity).join() + [1, [2, [3]]].flat().length`, "1,2,3,43"},
		{`let b = []; for (let i = 0; i < 5000; i++) b = [b]; JSON.stringify(b).length + JSON.stringify(JSON.parse("[".repeat(5000) + "]".repeat(5000))).length`, "20002"},
	}
	for _, tt := range tests {
		if got := run(t, tt.script); got != tt.want {
			t.Errorf("%s\n\tgot  %.100s\n\twant %s", tt.script, got, tt.want)
		}
	}
}
