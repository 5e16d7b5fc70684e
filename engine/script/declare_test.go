package script

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

const (
	typesFile = "../../scripts/types.d.ts"
	docsFile  = "../../docs/scripts.md"
	docsBegin = "<!-- generated from engine/script/declare.go -->\n"
	docsEnd   = "<!-- end -->\n"
)

// TestDeclarationsAreCurrent compares types.d.ts and the reference with the
// declarations. UPDATE_SCRIPTS=1 rewrites them.
func TestDeclarationsAreCurrent(t *testing.T) {
	docs, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(docs), docsBegin)
	_, after, ok2 := strings.Cut(rest, docsEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks its markers", docsFile)
	}
	for file, want := range map[string]string{
		typesFile: Types(nil),
		docsFile:  before + docsBegin + "\n" + Reference() + "\n" + docsEnd + after,
	} {
		if os.Getenv("UPDATE_SCRIPTS") != "" {
			if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s is not what the declarations say (%v): UPDATE_SCRIPTS=1 go test ./engine/script", file, err)
		}
	}
}

// TestDeclarationsAreTrue compares the declarations with what a script finds.
func TestDeclarationsAreTrue(t *testing.T) {
	text := ""
	for _, m := range modules {
		text += "export * as " + m.name + " from '" + m.name + "'\n"
	}
	s, err := Compile("x.js", text)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHost(t.Context(), s, DefaultLimits(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	compare := func(what string, o *goja.Object, members []hostMember) {
		t.Helper()
		got := o.GetOwnPropertyNames()
		var want []string
		for _, m := range members {
			want = append(append(want, m.name), m.aliases...)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, declared are %v", what, got, want)
		}
	}
	for _, m := range modules {
		compare(m.name, h.exports.Get(m.name).ToObject(h.rt), m.members)
	}
	// ctx in map has the names of reduce too, to say where they belong.
	mapContext := h.newContext("map", nil)
	if mapContext.Get("write") == nil || mapContext.Get("counter") == nil {
		t.Error("ctx of map lacks what is declared")
	}
	compare("ctx of reduce", h.newReduceContext(nil), slices.Concat(contexts[0].members, contexts[1].members))
	compare("a counter", h.counter(goja.FunctionCall{Arguments: []goja.Value{h.rt.ToValue("n")}}).ToObject(h.rt), contexts[3].members)
}

func TestAnnotatedScriptsCompile(t *testing.T) {
	const text = "export function map(id, dims, ping, ctx) {}\nexport function reduce(k, v, ctx) {}"
	for _, ext := range []string{".js", ".ts"} {
		got := Annotate(text, ext)
		if _, err := Compile("x"+ext, got); err != nil || !strings.Contains(got, "tm.Map") && !strings.Contains(got, "tm.Ping") {
			t.Errorf("%s: %v\n%s", ext, err, got)
		}
	}
	if types := Types([]string{"GC_MS"}); !strings.Contains(types, "\"GC_MS\"?: Histogram\n") {
		t.Error("histogram names are not in the types")
	}
}
