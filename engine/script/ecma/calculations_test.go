package ecma_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/ecma"
	"github.com/aitgithub/telemetry-server/engine/script/ecma/numeric"
)

// hostArray is an array of the host's. An element that is no float64 is a text.
type hostArray struct {
	rt       *goja.Runtime
	elements []any
}

func (a *hostArray) Len() int                 { return len(a.elements) }
func (a *hostArray) Set(int, goja.Value) bool { return false }
func (a *hostArray) SetLen(int) bool          { return false }

func (a *hostArray) Get(i int) goja.Value {
	if i < 0 || i >= len(a.elements) {
		return nil
	}
	return a.rt.ToValue(a.elements[i])
}

func (a *hostArray) Number(i int) (float64, bool) {
	value, ok := a.elements[i].(float64)
	return value, ok
}

// calculated runs a script with the host's array h, with loops in Go or without.
func calculated(t testing.TB, script string, elements []any, inGo bool) string {
	t.Helper()
	rt := goja.New()
	array := &hostArray{rt, elements}
	rt.Set("h", rt.NewDynamicArray(array))

	// The array is a parameter, as in scripts: only what is declared is a loop's.
	script = "(function (h) {" + script + "})(h)"
	var compiled *goja.Program
	if inGo {
		var features ecma.Features
		compiled, features = prepared(t, script)
		e := ecma.Install(rt, features)
		defer e.Close()
		e.Numbers = func(v goja.Value) numeric.List {
			if own, ok := v.Export().(*hostArray); ok {
				return own
			}
			return nil
		}
	} else {
		compiled = goja.MustCompile("test.js", script, true)
	}

	v, err := rt.RunProgram(compiled)
	if err != nil {
		return err.(*goja.Exception).Value().String()
	}

	return v.String()
}

const show = `; return [a, b, c].map((x) => Object.is(x, -0) ? "-0" : String(x)).join()`

func TestCalculations(t *testing.T) {
	numbers := []any{1.0, 2.5, -3.0, math.Copysign(0, -1), 1e300, 7.0}
	mixed := []any{1.0, 2.0, "x", 4.0}
	tests := []struct {
		elements []any
		loop     string
	}{
		{numbers, `for (let i = 0; i < h.length; i++) a += h[i]`},
		{numbers, `for (let i = h.length - 1; i >= 0; i -= 2) { a += h[i]; b = Math.max(b, h[i]) }`},
		{numbers, `for (const x of h) a += x`},
		{numbers, `for (const x of h) { if (x < 0) continue; if (x > 100) break; a += x; b++ }`},
		{numbers, `for (const x of h) for (const y of h) if (x !== y) a += x * y`},
		{numbers, `for (var i = 0; i < 3; i++) a += h[i]; b = i`},
		{numbers, `let i; for (i = 1; i < 4; i++) a += h[i]; b = i`},
		{numbers, `let i = 0; while (i < h.length && h[i] > 0) { a += h[i]; i++ } b = i`},
		{numbers, `for (let i = 0; i <= h.length; i++) a += h[i]`},       // the last one is undefined
		{numbers, `for (let i = -1; i < 2; i++) a += h[i]`},              // the first one too
		{numbers, `for (let i = 0; i < 2; i += 0.5) a += h[i]`},          // members "0.5" and "1.5"
		{mixed, `for (const x of h) a += x`},                             // "3x4"
		{mixed, `for (let i = 0; i < h.length; i++) { b++; a += h[i] }`}, // once, not from the middle on
		{numbers, `c = "text"; for (const x of h) { a += x; c += x }`},   // no number before
		{numbers, `c = true; for (let i = 0; i < 3; i++) c += i`},        // nor this
		{numbers, `c = null; for (let i = 0; i < 3; i++) { a += i; c = i }`},
		{numbers, `c = 5n; for (let i = 0; i < 3; i++) a += i; c = String(c)`},
		{numbers, `let max; for (const x of h) if (max === undefined || x > max) max = x; a = max`},
		{numbers, `for (let i = 0; i < 3; i++) { let s = i; s += h[i]; { let s = 100; a += s } b += s }`},
		{numbers, `const k = 2; try { for (let i = 0; i < 3; i++) k += i } catch (e) { c = e.name }`},
		{numbers, `for (let i = 0, j = 10; i < j; i++, j--) { a += i; b += j }`},
		{numbers, `for (let i = 0; i < 40; i++) { a ^= 1 << i; b = b * 31 | 0; c += (a >>> 3) + (~b >> 2) % 7 }`},
		{numbers, `for (const x of h) a += x > 0 ? Math.floor(x / 2) : -Math.sqrt(-x)`},
		{numbers, `const Math = { abs: () => 42 }; for (const x of h) a += Math.abs(x)`},
		{numbers, `const plain = [1, 2, 3]; for (const x of plain) a += x; for (let i = 0; i < plain.length; i++) b += plain[i]`},
		{numbers, `h = [5, "6"]; for (const x of h) a += x`},
		{numbers, `outer: for (const x of h) { for (const y of h) { if (y > 2) continue outer; a += y } }`},
		{numbers, `for (let i = 0; i < 100; i++) { a = i; if (i / 3 === 2) break }`},
		{nil, `for (const x of h) a += x; for (let i = 0; h[i]; i++) b++`},
		{numbers, `for (let i = 0; i < 3; i++) missing += i`},
	}
	for _, test := range tests {
		// Often enough for a loop that does not pay to be given up.
		script := "let a = 0, b = 0, c = 0; for (let run = 0; run < 100; run++) { const out = []; " + test.loop + "; out.push(1) }" + show
		got := calculated(t, script, test.elements, true)
		if want := calculated(t, script, test.elements, false); got != want {
			t.Errorf("%s\n got %s\nwant %s", test.loop, got, want)
		}
	}
}

// TestRandomCalculations compares random loops with goja's own.
func TestRandomCalculations(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		g := &loopMaker{Rand: random, names: []string{"a", "b", "c"}}
		script := "let a = " + g.literal() + ", b = " + g.literal() + ", c = " + g.literal() + "; " + g.loop(2) + show
		elements := make([]any, random.IntN(6))
		for i := range elements {
			elements[i] = []any{1.0, -2.0, 0.5, 3e9, math.Copysign(0, -1), math.Inf(1), math.NaN(), 1e16}[random.IntN(8)]
			if random.IntN(40) == 0 {
				elements[i] = "text"
			}
		}

		got := calculated(t, script, elements, true)
		if want := calculated(t, script, elements, false); got != want {
			t.Fatalf("%s\nof %v\n got %s\nwant %s", script, elements, got, want)
		}
	}
}

// loopMaker writes random loops that end.
type loopMaker struct {
	*rand.Rand
	names []string
	loops int
}

func (g *loopMaker) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *loopMaker) literal() string {
	return g.pick("0", "1", "2.5", "-3", "7", "1e9", "0.1", "-0", "4294967296")
}

func (g *loopMaker) loop(depth int) string {
	g.loops++
	i := fmt.Sprintf("i%d", g.loops)
	names := g.names
	g.names = append(append([]string{}, names...), i)
	defer func() { g.names = names }()

	switch g.IntN(3) {
	case 0:
		element := fmt.Sprintf("x%d", g.loops)
		g.names[len(g.names)-1] = element
		return fmt.Sprintf("for (const %s of h) %s", element, g.body(depth))
	case 1:
		return fmt.Sprintf("for (let %[1]s = 0; %[1]s < h.length - %[2]d; %[1]s++) %[3]s", i, g.IntN(3)-1, g.body(depth))
	}
	return fmt.Sprintf("for (let %[1]s = %[2]d; %[1]s > 0; %[1]s--) %[3]s", i, g.IntN(8), g.body(depth))
}

func (g *loopMaker) body(depth int) string {
	var lines []string
	for range 1 + g.IntN(3) {
		switch kind := g.IntN(6); {
		case kind == 0 && depth > 0:
			lines = append(lines, g.loop(depth-1))
		case kind == 1:
			lines = append(lines, fmt.Sprintf("if (%s) %s", g.condition(), g.pick("continue", "break", g.assignment())))
		default:
			lines = append(lines, g.assignment())
		}
	}

	return "{ " + strings.Join(lines, "; ") + " }"
}

func (g *loopMaker) assignment() string {
	name := g.pick("a", "b", "c")
	if g.IntN(4) == 0 {
		return name + g.pick("++", "--")
	}
	return name + g.pick(" = ", " += ", " -= ", " *= ", " /= ", " %= ", " |= ", " ^= ", " >>>= ", " <<= ") + g.number(2)
}

func (g *loopMaker) number(depth int) string {
	if depth == 0 || g.IntN(3) == 0 {
		return g.pick(append(g.names, g.literal(), "h.length", "h[0]", "h["+g.pick(g.names...)+"]")...)
	}

	left, right := g.number(depth-1), g.number(depth-1)
	switch g.IntN(5) {
	case 0:
		return fmt.Sprintf("Math.%s(%s)", g.pick("abs", "floor", "ceil", "sqrt", "trunc"), left)
	case 1:
		return fmt.Sprintf("Math.%s(%s, %s)", g.pick("min", "max"), left, right)
	case 2:
		return fmt.Sprintf("(%s ? %s : %s)", g.condition(), left, right)
	case 3:
		return g.pick("-", "+", "~") + "(" + left + ")"
	}
	return "(" + left + g.pick(" + ", " - ", " * ", " / ", " % ", " & ", " | ", " ^ ", " << ", " >> ", " >>> ") + right + ")"
}

func (g *loopMaker) condition() string {
	left, right := g.number(1), g.number(1)
	switch g.IntN(4) {
	case 0:
		return left
	case 1:
		return "!(" + left + " < " + right + ") && " + right
	}
	return left + g.pick(" < ", " <= ", " > ", " >= ", " === ", " !== ", " == ", " != ") + right
}

// TestCalculationIsInterrupted: a loop in Go ends when the script does.
func TestCalculationIsInterrupted(t *testing.T) {
	const script = "let a = 0; for (let i = 0; i >= 0; i++) a += i % 7"
	compiled, features := prepared(t, script)

	rt := goja.New()
	e := ecma.Install(rt, features)
	defer e.Close()
	timer := time.AfterFunc(20*time.Millisecond, func() {
		rt.Interrupt("enough")
		e.Interrupt()
	})
	defer timer.Stop()
	_, err := rt.RunProgram(compiled)
	if _, ok := err.(*goja.InterruptedError); !ok {
		t.Errorf("the loop ended with %v", err)
	}
}

func BenchmarkCalculation(b *testing.B) {
	elements := make([]any, 200)
	for i := range elements {
		elements[i] = float64(i % 17)
	}
	script := "let a = 0, b = 0, c = 0; for (let run = 0; run < 500; run++) { for (let i = 0; i < h.length - 5; i++) a += h[i] }" + show
	for _, inGo := range []bool{true, false} {
		b.Run(map[bool]string{true: "Go", false: "goja"}[inGo], func(b *testing.B) {
			for b.Loop() {
				calculated(b, script, elements, inGo)
			}
		})
	}
}
