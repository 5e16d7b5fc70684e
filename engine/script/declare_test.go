package script

import (
	"slices"
	"testing"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// TestDeclarationsAreTrue compares the declarations with what a script finds.
func TestDeclarationsAreTrue(t *testing.T) {
	text := ""
	for _, m := range declare.Modules() {
		text += "export * as " + m + " from '" + m + "'\n"
	}
	s, err := Compile("x.js", text)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHost(t.Context(), s, DefaultLimits(), nil, func(*host) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	compare := func(what string, o *goja.Object, names ...string) {
		t.Helper()
		got := o.GetOwnPropertyNames()
		var want []string
		for _, n := range names {
			want = append(want, declare.Members(n)...)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, declared are %v", what, got, want)
		}
	}
	for _, m := range declare.Modules() {
		compare(m, h.exports.Get(m).ToObject(h.rt), m)
	}
	// ctx in map has the names of reduce too, to say where they belong.
	mapContext := h.newContext("map", nil)
	if mapContext.Get("write") == nil || mapContext.Get("counter") == nil {
		t.Error("ctx of map lacks what is declared")
	}
	compare("ctx of reduce", h.newReduceContext(nil), "Context", "ReduceContext")
	compare("a counter", h.counter(goja.FunctionCall{Arguments: []goja.Value{h.rt.ToValue("n")}}).ToObject(h.rt), "Counter")
}
