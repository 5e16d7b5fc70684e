package script_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// These tests walk running scripts and compare what they find with package
// declare; the ping, dims and a histogram are walked in package value.

// walked runs a script that writes lines "what, tab, names" and returns them by what.
func walked(t *testing.T, text string) map[string]string {
	t.Helper()
	out, _, err := job{text: text, records: []string{pingA}}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	found := map[string]string{}
	for line := range strings.Lines(out) {
		what, names, _ := strings.Cut(strings.TrimSpace(line), "\t")
		found[what] = names
	}

	return found
}

// same compares names, given in any order, with those that a script found.
func same(t *testing.T, what, found string, want []string) {
	t.Helper()
	got := strings.Split(found, ",")
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s has %q, declared are %q", what, got, want)
	}
}

// TestContextsAreDeclared: the ctx of each function has the members that are
// declared for it. That of map and combine also has the methods of reduce, which
// say where they belong.
func TestContextsAreDeclared(t *testing.T) {
	found := walked(t, `
		const names = (o) => Object.getOwnPropertyNames(o).join()
		export function map(id, dims, ping, ctx) { ctx.write("map", names(ctx)); ctx.write("combine", 1); ctx.write("combine", 2) }
		export function combine(key, values, ctx) { ctx.write(key, key === "combine" ? names(ctx) : values[0]) }
		export function mapFinished(ctx) { ctx.write("mapFinished", names(ctx)); ctx.write("counter", names(ctx.counter("n"))) }
		export function setupReduce(ctx) { ctx.writeLine("setupReduce\t" + names(ctx)) }
		export function reduceFinished(ctx) { ctx.writeLine("reduceFinished\t" + names(ctx)) }
		export function reduce(key, values, ctx) {
			ctx.writeLine(key + "\t" + values[0])
			ctx.writeLine("reduce\t" + names(ctx))
		}`)

	for _, e := range declare.Exports() {
		at := e.Position("ctx")
		if at < 0 {
			continue
		}
		want := declare.Members(declare.Context)
		if e.Parameters[at].Type == declare.ReduceContext {
			want = append(want, declare.Members(declare.ReduceContext)...)
		} else {
			want = append(want, declare.Methods(declare.ReduceContext)...)
		}
		same(t, "the ctx of "+e.Name, found[e.Name], want)
	}

	same(t, "a counter", found["counter"], declare.Members(declare.Counter))
}

// TestModulesAreDeclared: each module exports what is declared.
func TestModulesAreDeclared(t *testing.T) {
	text := "export function map(id, dims, ping, ctx) {\n"
	for _, name := range declare.Modules() {
		text = "import * as " + name + " from '" + name + "'\n" + text +
			"ctx.write('" + name + "', Object.getOwnPropertyNames(" + name + ").join())\n"
	}

	found := walked(t, text+"}")
	for _, name := range declare.Modules() {
		same(t, "module "+name, found[name], declare.Members(name))
	}
}

// TestGlobalsAreDeclared: beside what JavaScript has, there are console and what
// the host hides behind two underscores or per cent signs.
func TestGlobalsAreDeclared(t *testing.T) {
	found := walked(t, `export function map(id, dims, ping, ctx) {
		ctx.write("globals", Object.getOwnPropertyNames(globalThis).join())
		ctx.write("console", Object.getOwnPropertyNames(console).join())
	}`)
	same(t, "console", found["console"], declare.ConsoleMethods())

	plain := goja.New().GlobalObject().GetOwnPropertyNames()
	for _, name := range strings.Split(found["globals"], ",") {
		if !slices.Contains(plain, name) && name != "console" && !strings.HasPrefix(name, "__") && !strings.HasPrefix(name, "%") {
			t.Errorf("there is a global %s, which is not declared", name)
		}
	}
}

// TestDeclaredFunctionsAreCalled: the host calls each declared function by its
// name and its aliases, says its name in the error, and can make the call again.
func TestDeclaredFunctionsAreCalled(t *testing.T) {
	for _, e := range declare.Exports() {
		for _, name := range e.Names() {
			if e.Constant() {
				continue
			}
			t.Run(name, func(t *testing.T) {
				throws := "function " + name + "() { throw new Error('called') }\n"
				j := job{text: throws, records: []string{pingA}}
				switch {
				case e.Of == declare.Filter:
					j.text, j.filter = "function map() {}", throws
				case e.Name != declare.Map:
					j.text += "function map(id, dims, ping, ctx) { ctx.write(1, 1); ctx.write(1, 2) }"
				}

				_, _, err := j.run(t.Context())
				if e.Name == declare.Alert { // after a run
					alerting, compileErr := script.Compile("job.js", throws)
					if compileErr != nil {
						t.Fatal(compileErr)
					}
					_, err = alerting.Alert(t.Context(), script.DefaultLimits(), nil, []byte("[]"), []byte("null"))
				}
				failure, ok := errors.AsType[*script.Error](err)
				if !ok || failure.Phase != e.Name || failure.Message != "Error: called" {
					t.Fatalf("error %v, want that of %s", err, e.Name)
				}
				if e.Position("ping") < 0 && e.Position("key") < 0 {
					return
				}
				call := script.CallOf(err)
				if call == nil || call.Phase != e.Name {
					t.Fatalf("the call was not kept: %+v", call)
				}
				if _, err := (&script.Job{}).Replay(call); err != nil {
					t.Errorf("the call cannot be made again: %v", err)
				}
			})
		}
	}
}

// TestDeclaredConstantsAreRead: the host reads each declared constant by its name
// and its aliases.
func TestDeclaredConstantsAreRead(t *testing.T) {
	compile := func(t *testing.T, text string) *script.Script {
		t.Helper()
		s, err := script.Compile("x.js", text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	filter := func(t *testing.T, text string) *script.FilterScript {
		t.Helper()
		f, err := script.NewFilterScript(t.Context(), compile(t, text), script.DefaultLimits(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}

	checks := map[string]func(t *testing.T, name string){
		declare.Columns: func(t *testing.T, name string) {
			got, err := compile(t, "const "+name+" = ['a', 'b']").Columns(t.Context(), script.DefaultLimits())
			if err != nil || !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("columns %q, %v", got, err)
			}
		},
		declare.Dimensions: func(t *testing.T, name string) {
			f := filter(t, "const "+name+" = [{ field_name: 'reason', allowed_values: '*' }, { field_name: 'appName', allowed_values: 'Fennec' }]")
			if f.Selection.Selects(release) {
				t.Error("it selects Firefox")
			}
		},
		declare.IncludeInvalid: func(t *testing.T, name string) {
			f := filter(t, "const dimensions = [], "+name+" = true")
			if !f.Selection.IncludeQuarantined {
				t.Error("it leaves quarantined records out")
			}
		},
	}

	// What a server that runs jobs reads.
	for name, text := range map[string]string{
		declare.Title: `"a"`, declare.Description: `"a"`, declare.Schedule: `"a"`, declare.Live: `true`, declare.Chart: `{"a":1}`, declare.Alert: `{"a":1}`, declare.JobFilter: `{"version":1,"dimensions":[]}`,
	} {
		checks[name] = func(t *testing.T, name string) {
			got, err := compile(t, "const "+name+" = "+text).Schedulable(t.Context(), script.DefaultLimits())
			if all, marshalErr := json.Marshal(got); string(all) != `{"`+name+`":`+text+"}" || err != nil || marshalErr != nil {
				t.Errorf("%s, %v, %v", all, err, marshalErr)
			}
			if _, err := compile(t, "const "+name+" = 1n").Schedulable(t.Context(), script.DefaultLimits()); err == nil {
				t.Error("a number that JSON cannot hold is no error")
			}
		}
	}

	for _, e := range declare.Exports() {
		if !e.Constant() && e.Name != declare.Alert { // which may be either
			continue
		}
		for _, name := range e.Names() {
			check := checks[e.Name]
			if check == nil {
				t.Errorf("no check says whether %s is read", e.Name)
				continue
			}
			t.Run(name, func(t *testing.T) { check(t, name) })
		}
	}
}
