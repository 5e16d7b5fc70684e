package bundle

import (
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// TestLighten fails when esbuild writes its helpers in another way: then scripts
// still run, but each task's start costs twice as much.
func TestLighten(t *testing.T) {
	b, err := Compile("x.js", `export function map() {}
export const b = 1, a = 2
export default {}`)
	if err != nil {
		t.Fatal(err)
	}

	for _, rest := range []string{"in all)", "return __toCommonJS("} {
		if strings.Contains(b.code, rest) {
			t.Errorf("%q is left in\n%s", rest, b.code)
		}
	}

	// The exports are the same as before.
	rt := goja.New()
	if _, err := rt.RunProgram(b.Program); err != nil {
		t.Fatal(err)
	}

	if got := rt.Get(ResultName).ToObject(rt).Keys(); !slices.Equal(got, []string{"a", "b", "default", "map"}) {
		t.Errorf("exports %q", got)
	}
}
