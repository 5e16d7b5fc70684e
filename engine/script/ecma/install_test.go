package ecma_test

import (
	"testing"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/ecma"
)

// prepare compiles a script as package bundle does.
func prepare(tb testing.TB, script string) (*goja.Program, ecma.Features) {
	tb.Helper()
	program, err := goja.Parse("", script)
	if err != nil {
		tb.Fatal(err)
	}
	features, err := ecma.Prepare(program, script)
	if err != nil {
		tb.Fatal(err)
	}
	compiled, err := goja.CompileAST(program, true)
	if err != nil {
		tb.Fatal(err)
	}

	return compiled, features
}

func BenchmarkInstall(b *testing.B) {
	for name, script := range map[string]string{
		"Nothing": `1`, "RegExp": `/a/`, "JSON": `JSON.parse("1")`, "Iterator": `[].values()`, "All": `eval("1")`,
	} {
		b.Run(name, func(b *testing.B) {
			_, features := prepare(b, script)
			b.ReportAllocs()
			for b.Loop() {
				ecma.Install(goja.New(), features).Close()
			}
		})
	}
}

func BenchmarkReplace(b *testing.B) {
	compiled, features := prepare(b, `(s) => s.replace(/(\d+)\.(\d+)/g, "$1").match(/^a/)`)
	rt := goja.New()
	e := ecma.Install(rt, features)
	defer e.Close()
	v, err := rt.RunProgram(compiled)
	if err != nil {
		b.Fatal(err)
	}
	f, _ := goja.AssertFunction(v)
	text := rt.ToValue("a version 29.0 and 30.1 and build 20140203")

	b.ReportAllocs()
	for b.Loop() {
		if _, err := f(goja.Undefined(), text); err != nil {
			b.Fatal(err)
		}
	}
}
