package value

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// noted runs an expression on pings and returns what was noted of their fields. The names
// in the expression are those that stand in the script.
func noted(t testing.TB, expression string, pings ...string) map[string]Seen {
	t.Helper()
	names := map[string]bool{}
	for _, name := range strings.FieldsFunc(expression, func(r rune) bool { return strings.ContainsRune(" :.?()[]{}=>\"',;", r) }) {
		names[name] = true
	}
	rt := goja.New()
	r := New(rt, nil)
	r.NoteFields(NewFields(NewFieldNames(names), nil))
	program := goja.MustCompile("test", expression, true)

	for _, ping := range pings {
		r.NextPing()
		rt.Set("p", r.Ping([]byte(ping)))
		if _, err := rt.RunProgram(program); err != nil {
			t.Fatal(err)
		}
	}
	return r.fields.All(similar)
}

// similar returns the first candidate that is the beginning of the name, or the reverse.
func similar(name string, candidates []string) string {
	for _, candidate := range candidates {
		if strings.HasPrefix(candidate, name) || strings.HasPrefix(name, candidate) {
			return candidate
		}
	}
	return ""
}

// TestFields reads fields in all the ways that there are.
func TestFields(t *testing.T) {
	const one, two = `{"info": {"OS":"x","rare":1},"list":[{"a":1}]}`, `{"info":{"OS":"y"},"o":{"info":{}}}`
	for expression, want := range map[string]map[string]Seen{
		`p.info.OS`:                               {"info": {Has: true}, "info.OS": {Has: true}},
		`p.info.OSS`:                              {"info": {Has: true}, "info.OSS": {Miss: true, Near: "OS"}},
		`p.info["OSS"]`:                           {"info": {Has: true}, "info.OSS": {Miss: true, Near: "OS"}},
		`p.infos?.OS`:                             {"infos": {Miss: true, Near: "info"}},
		`p.info.rare`:                             {"info": {Has: true}, "info.rare": {Has: true, Miss: true}},
		`p.o?.info.OS`:                            {"o": {Has: true, Miss: true}, "o.info": {Has: true}, "o.info.OS": {Miss: true}},
		`p.list?.[0].ab`:                          {"list": {Has: true, Miss: true, Near: ""}},
		`(({ info: { OS, nothing } }) => OS)(p)`:  {"info": {Has: true}, "info.OS": {Has: true}, "info.nothing": {Miss: true}},
		`for (const k in p.info) p.info[k]`:       {"info": {Has: true}},
		`for (const k of ["OSS"]) p.info[k + ""]`: {"info": {Has: true}, "info.OSS": {Miss: true, Near: "OS"}},
		`p.added = 1; p.added`:                    {},
		`delete p.info.OS; p.info.OS`:             {"info": {Has: true}},
		`p.toString(); p.length; p.slice(0, 3); p.histogram`: {},
		`JSON.stringify(p.info)`:                             {"info": {Has: true}},
	} {
		got := noted(t, expression, one, two)
		// What there is on neither side.
		maps.DeleteFunc(got, func(_ string, seen Seen) bool { return seen == Seen{} })
		maps.DeleteFunc(got, func(path string, _ Seen) bool { return path == "toJSON" })
		if expression == `p.list?.[0].ab` || expression == `p.o?.info.OS` {
			for path, seen := range got {
				seen.Near = ""
				got[path] = seen
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", expression, got, want)
		}
	}
}

// TestFieldsAreBounded: names without end take no memory without end.
func TestFieldsAreBounded(t *testing.T) {
	names := map[string]bool{}
	var text strings.Builder
	for i := range 2 * maxFields {
		name := fmt.Sprint("f", i)
		names[name] = true
		fmt.Fprintf(&text, "p.%s;", name)
	}
	rt := goja.New()
	r := New(rt, nil)
	r.NoteFields(NewFields(NewFieldNames(names), nil))
	rt.Set("p", r.Ping([]byte(`{"a":1}`)))
	if _, err := rt.RunString(text.String()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.fields.All(similar)); n != maxFields {
		t.Errorf("%d fields are noted", n)
	}
}

// BenchmarkFields reads a field of pings, noted and not.
func BenchmarkFields(b *testing.B) {
	for _, names := range []map[string]bool{nil, {"info": true, "OS": true}, {"another": true}} {
		b.Run(fmt.Sprint(len(names), names["OS"]), func(b *testing.B) {
			rt := goja.New()
			r := New(rt, nil)
			if names != nil {
				r.NoteFields(NewFields(NewFieldNames(names), nil))
			}
			text := []byte(pingA)
			rt.Set("p", r.Ping(text))
			program, err := rt.RunString(`(p) => { for (let i = 0; i < 100; i++) p.info.OS }`)
			if err != nil {
				b.Fatal(err)
			}
			call, _ := goja.AssertFunction(program)
			for b.Loop() {
				r.NextPing()
				if _, err := call(goja.Undefined(), r.Ping(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
