package value

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/dop251/goja"
)

// wideJSON returns an object of n members, each an array.
func wideJSON(n int) string {
	var b strings.Builder
	b.WriteString(`{"sql":{`)
	for i := range n {
		fmt.Fprintf(&b, `"SELECT %d":[1,100],`, i)
	}
	b.WriteString(`"last":[0,0]},`)
	for i := range n {
		fmt.Fprintf(&b, `"m%d":{"a":%d},`, i, i)
	}
	b.WriteString(`"info":{"OS":"W"}}`)

	return b.String()
}

// TestNoMemberIsQuadratic runs scripts over a ping and over one that is eight times
// as wide.
func TestNoMemberIsQuadratic(t *testing.T) {
	scripts := map[string]string{
		"for in":         `let n = 0; for (const k in ping.sql) n += ping.sql[k][1]`,
		"keys":           `let n = 0; for (const k of Object.keys(ping.sql)) n += ping.sql[k][0]`,
		"entries":        `let n = 0; for (const [k, v] of Object.entries(ping.sql)) n += v[1]`,
		"backwards":      `let n = 0; for (const k of Object.keys(ping.sql).reverse()) n += ping.sql[k][1]`,
		"top level":      `let n = 0; for (const k in ping) n += ping[k].a || 0`,
		"missing":        `let n = 0; for (let i = 0; i < 500; i++) if (("x" + i) in ping.sql) n++`,
		"missing on top": `let n = 0; for (let i = 0; i < 500; i++) if (("x" + i) in ping) n++`,
		"set and delete": `for (const k of Object.keys(ping.sql)) { ping.sql["new" + k] = 1 } for (const k of Object.keys(ping.sql)) delete ping.sql[k]`,
		"spread":         `({...ping.sql})`,
		"stringify":      `JSON.stringify(ping.sql)`,
		"assign":         `Object.assign({}, ping.sql)`,
		"lengths":        `const a = ping.sql; let n = 0; for (const k in a) n += a[k].length`,
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			program, err := goja.Compile("", "(function(ping) { "+script+" })", true)
			if err != nil {
				t.Fatal(err)
			}

			layouttest.RequireLinear(t, 1000, func(n int) func() {
				text := []byte(wideJSON(n))
				return func() {
					rt := goja.New()
					r := New(rt, nil)
					v, err := rt.RunProgram(program)
					if err != nil {
						t.Fatal(err)
					}
					f, _ := goja.AssertFunction(v)

					r.NextPing()
					if _, err := f(goja.Undefined(), r.Ping(text)); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}
