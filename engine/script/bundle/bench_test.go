package bundle

import (
	"testing"

	"github.com/dop251/goja"
)

const benchScript = `export function map(id, dims, ping, ctx) { ctx.write(ping.info.OS, 1) }
export function reduce(os, counts, ctx) { ctx.write(os, counts.length) }
export const combine = reduce`

// BenchmarkStart runs the top level of a script in a fresh runtime, as each task
// does: with what lighten changes, and as esbuild writes it.
func BenchmarkStart(b *testing.B) {
	names, err := newSourceNames("bench.js")
	if err != nil {
		b.Fatal(err)
	}

	code, sourceMap := outputs(build(names, benchScript))

	for _, bb := range []struct{ name, code string }{{"lightened", lighten(code)}, {"as esbuild writes it", code}} {
		b.Run(bb.name, func(b *testing.B) {
			bundle := Bundle{code: bb.code}
			if err := bundle.compile(sourceMap); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := goja.New().RunProgram(bundle.Program); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompile compiles a script, and looks for deep nesting in it alone.
func BenchmarkCompile(b *testing.B) {
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if _, err := Compile("bench.js", benchScript); err != nil {
				b.Fatal(err)
			}
		}
	})

	b.Run("nesting", func(b *testing.B) {
		for b.Loop() {
			tooDeep(benchScript)
		}
	})
}
