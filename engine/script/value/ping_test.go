package value

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

const pingA = `{"ver":2,"info":{"OS":"WINNT","version":"6.1"},"histograms":{"GC_MS":[1,2,3,10,-1],"X":[0,1]},"text":"tab\t \"q\" \u00e4\ud83d\ude00","n":[1.5,-2,1e3],"z":null,"t":true,"10":"ten","2":"two"}`

// withPing returns a runtime with a global ping.
func withPing(text string) (*goja.Runtime, *Runtime) {
	rt := goja.New()
	r := New(rt, nil)
	rt.Set("ping", r.Ping([]byte(text)))
	return rt, r
}

// TestLazyPing evaluates an expression on a ping and compares with what
// JavaScript's own JSON.parse gives.
func TestLazyPing(t *testing.T) {
	for _, expr := range []string{
		`p.info.OS`, `p.info.missing`, `p.missing`, `typeof p`, `typeof p.info`, `"info" in p`, `"nope" in p`, `p.hasOwnProperty("ver")`,
		`p.z`, `p.t`, `p.n[0] + p.n[1]`, `p.n.length`, `p.n[7]`, `Array.isArray(p.n)`, `p.n.map(x => x * 2)`, `[...p.n]`,
		`p.n.slice(1).reverse()`, `p.n.indexOf(-2)`, `p.n.concat([1])`, `p.histograms.GC_MS.slice(0, 3).reduce((a, b) => a + b)`,
		`Object.keys(p.info)`, `Object.entries(p.histograms).length`, `JSON.stringify(p.info)`, `JSON.stringify(p.n)`,
		`p.text`, `p.text.length`, `p.info === p.info`, `p.n === p.n`, `(() => { const { OS, version } = p.info; return OS + version })()`,
		`(() => { const names = []; for (const k in p.info) names.push(k); return names })()`,
		`({ ...p.info, x: 1 })`, `Object.assign({}, p.info)`, `p?.info?.OS?.length`,
		`(() => { p.info.OS = "X"; p.info.added = 1; delete p.info.version; return [p.info, Object.keys(p.info), "version" in p.info] })()`,
		`(() => { p.n.push(4); p.n[0] = 7; p.n.length = 3; return p.n })()`, `(() => { p.n.sort((a, b) => a - b); return p.n })()`,
		`(() => { delete p.ver; p.ver = 3; return p.ver })()`, `p["10"] + p[2]`, `p.info.toString === Object.prototype.toString`,
		`JSON.stringify(p.histograms, null, 1)`, `p.constructor === Object`, `p.info.__proto__ === Object.prototype`,
	} {
		t.Run(expr, func(t *testing.T) {
			rt, _ := withPing(pingA)
			evaluate := func(ping string) string {
				v, err := rt.RunString(fmt.Sprintf("((p) => JSON.stringify([%s]))(%s)", expr, ping))
				if err != nil {
					t.Fatal(err)
				}
				return v.String()
			}
			rt.Set("text", pingA)
			got, want := evaluate("ping"), evaluate("JSON.parse(text)")
			if got != want {
				t.Errorf("%s, but JSON.parse gives %s", got, want)
			}
		})
	}
}

// TestPingAsText: scripts that took the value for a string still can.
func TestPingAsText(t *testing.T) {
	for expr, want := range map[string]string{
		`value.indexOf("WINNT") > 0`:                         "true",
		`/"OS":"(\w+)"/.exec(value)[1]`:                      "WINNT",
		`value.match(/"OS":"(\w+)"/)[1]`:                     "WINNT",
		`value.includes("nope")`:                             "false",
		`value.length === String(value).length`:              "true",
		`(value + "").startsWith('{"ver":2')`:                "true",
		`value.slice(0, 7)`:                                  `{"ver":`,
		`typeof value.length`:                                "number",
		`value.substring(2, 5)`:                              "ver",
		`value.substr(2, 3)`:                                 "ver",
		`value.charAt(0)`:                                    "{",
		`value.search(/ver/)`:                                "2",
		`value.replace("ver", "VER").slice(2, 5)`:            "VER",
		`value.lastIndexOf("}") === value.length - 1`:        "true",
		`typeof value`:                                       "object",
		`typeof JSON.parse(value)`:                           "object",
		`"abc".indexOf(value)`:                               "-1",
		`/\xe4/.test(value) || value.indexOf("\\u00e4") > 0`: "true",
		`value.split(",")[0]`:                                `{"ver":2`,
		`JSON.parse(value) === value`:                        "true",
		`JSON.parse("[1]")[0]`:                               "1",
		`JSON.parse(value).info === JSON.parse(value).info`:  "true",
		`Object.keys(value).join()`:                          "ver,info,histograms,text,n,z,t,10,2",
		"`${value}`.length > 100":                            "true",
	} {
		t.Run(expr, func(t *testing.T) {
			rt, _ := withPing(pingA)
			rt.Set("value", rt.Get("ping"))
			got, err := rt.RunString("String(" + expr + ")")
			if err != nil || got.String() != want {
				t.Errorf("got %v, %v, want %q", got, err, want)
			}
		})
	}
}

// TestDuplicateNames: the last value of a name counts, at the first's place.
func TestDuplicateNames(t *testing.T) {
	rt, r := withPing(`{"a":1,"b":2,"a":3,"o":{"x":1,"y":0,"\u0078":2}}`)
	v, err := rt.RunString(`[ping.a, Object.keys(ping).join(), ping.o.x, ping.o]`)
	if err != nil {
		t.Fatal(err)
	}

	if got, want := string(datum.AppendJSON(nil, r.EncodeValue(v))), `[3,"a,b,o",2,{"x":2,"y":0}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestStalePing: a ping and its parts throw after the next one has begun.
func TestStalePing(t *testing.T) {
	rt, r := withPing(pingA)
	if _, err := rt.RunString(`var info = ping.info, list = ping.n`); err != nil {
		t.Fatal(err)
	}

	r.NextPing()

	for _, expr := range []string{`ping.ver`, `info.OS`, `list[0]`, `list.length`, `"OS" in info`, `Object.keys(info)`, `info.OS = 1`, `String(ping)`, `JSON.parse(ping)`} {
		if _, err := rt.RunString(expr); err == nil || !strings.Contains(err.Error(), errStale.Error()) {
			t.Errorf("%s: error %v, want %v", expr, err, errStale)
		}
	}
}

// TestReplacedBuiltins: a script that replaces what the host needs of JavaScript
// gets an error of its own.
func TestReplacedBuiltins(t *testing.T) {
	for script, do := range map[string]func(*Runtime){
		"Object = undefined":       func(r *Runtime) { r.freeze(r.rt.NewObject()) },
		"Object.freeze = 1":        func(r *Runtime) { r.freeze(r.rt.NewObject()) },
		"delete String":            func(r *Runtime) { r.prototype("String") },
		"Float64Array = undefined": func(r *Runtime) { r.float64Array([]float64{1}) },
		"Float64Array = Array":     func(r *Runtime) { r.float64Array([]float64{1}) },
	} {
		t.Run(script, func(t *testing.T) {
			rt := goja.New()
			r := New(rt, nil)
			rt.Set("hook", func() { do(r) })
			_, err := rt.RunString(script + "; hook()")
			if err == nil || !strings.Contains(err.Error(), "the script has replaced") {
				t.Errorf("error %v", err)
			}
		})
	}
}
