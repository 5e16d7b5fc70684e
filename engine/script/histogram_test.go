package script_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/revisions"
)

// oneSpec has the definitions of every revision but a few.
type oneSpec struct{ spec *revisions.Spec }

func (o oneSpec) Spec(_ context.Context, ref revisions.Ref) (*revisions.Spec, error) {
	switch ref.Revision {
	case "ffff00ff00ff":
		return nil, revisions.ErrNotFound
	case "0ff0ff0ff0ff":
		return nil, revisions.ErrOffline
	case "dddd00dd00dd":
		return nil, revisions.ErrUnavailable
	}
	return o.spec, nil
}

func TestPingHistogram(t *testing.T) {
	spec, err := revisions.Parse([]byte(`{
		"LIN": {"kind": "linear", "low": 10, "high": 30, "n_buckets": 4, "description": ""},
		"OTHER": {"kind": "linear", "low": 10, "high": 40, "n_buckets": 4, "description": ""},
		"BIG": {"kind": "linear", "low": 10, "high": 40, "n_buckets": 9, "description": ""}}`))
	if err != nil {
		t.Fatal(err)
	}
	limits := script.DefaultLimits()
	limits.Definitions = oneSpec{spec}
	record := func(rev string) string {
		return "a\t" + `{"info":{"revision":"http://hg.mozilla.org/mozilla-central/rev/` + rev + `"},"histograms":{"LIN":[1,2,1,0,70,-1,-1,5,0],"OTHER":[1,0,0,0,1,-1,-1,-1,-1],"STARTUP_LIN":[0,0,0,2,-1,3,-1],"BIG":[1,2,3],"NONE":[1,2,3,4]}}`
	}
	for expr, want := range map[string]string{
		`ping.histogram("LIN").kind`:                                            "linear",
		`ping.histogram("LIN").bounds.join()`:                                   "0,10,20,30",
		`ping.histogram("LIN").counts.join()`:                                   "1,2,1,0",
		`ping.histogram("LIN").sum`:                                             "70",
		`ping.histogram("STARTUP_LIN").sum`:                                     "undefined",
		`ping.histogram("LIN").samples`:                                         "4",
		`ping.histogram("LIN").percentile(50)`:                                  "15",
		`ping.layout("LIN") + ping.layout("LIN")`:                               "linear 10 to 30linear 10 to 30",
		`ping.layout("NONE")`:                                                   "unknown",
		`ping.histogram("missing")`:                                             "undefined",
		`Object.keys(ping.histogram("LIN")).join()`:                             "name,kind,bounds,counts,sum,samples",
		`ping.histogram("LIN").add(ping.histogram("LIN")).numbers.join()`:       "2,4,2,0,140,-1,-1,10,0",
		`(() => { ctx.write("x", ping.histogram("LIN")); return "written" })()`: "written",
		`(() => { try { ping.histogram("LIN").add(ping.histogram("OTHER")) } catch (e) { return e.message } })()`: "LIN (linear, 10 to 30 in 4 buckets) and OTHER (linear, 10 to 40 in 4 buckets) do not add up",
		`(() => { try { ping.histogram("BIG") } catch (e) { return e.message } })()`:                              "histogram BIG has 3 numbers, its definition 9 buckets: they do not belong together",
	} {
		t.Run(expr, func(t *testing.T) {
			got, _, err := job{text: `export function map(id, dims, ping, ctx) { ctx.write("r", String(` + expr + `)) }
				export function reduce(k, v, ctx) { if (k === "r") ctx.writeline(v[0]); else ctx.writeline(JSON.stringify(v[0])) }`,
				records: []string{record("abc123abc123")}, limits: limits}.run(t.Context())
			want := want + "\n"
			if strings.Contains(expr, "ctx.write") {
				want += "[1,2,1,0,70,-1,-1,5,0]\n"
			}
			if err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	for name, j := range map[string]job{
		"does not define histogram NONE": {records: []string{record("abc123abc123")}, limits: limits, text: `export function map(i, d, p) { p.histogram("NONE") }`},
		"no such revision":               {records: []string{record("ffff00ff00ff")}, limits: limits, text: `export function map(i, d, p) { p.histogram("LIN") }`},
		"give tmrun --revision-cache":    {records: []string{record("abc123abc123")}, text: `export function map(i, d, p) { p.histogram("LIN") }`},
	} {
		if _, _, err := j.run(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}

func TestPingLayoutWithoutDefinitions(t *testing.T) {
	limits := script.DefaultLimits()
	limits.Definitions = oneSpec{}
	for name, tt := range map[string]struct {
		limits         script.Limits
		revision, want string // "": an error
	}{
		"none are given":             {script.DefaultLimits(), "abc123abc123", "unknown"},
		"no such revision":           {limits, "ffff00ff00ff", "unknown"},
		"offline":                    {limits, "0ff0ff0ff0ff", "unknown"},
		"no revision":                {limits, "", "unknown"},
		"the server does not answer": {limits, "dddd00dd00dd", ""},
	} {
		got, _, err := job{
			text:    `export function map(id, dims, ping, ctx) { ctx.write("r", ping.layout("LIN")) }; export function reduce(k, v, ctx) { ctx.writeline(v[0]) }`,
			records: []string{`a	{"info":{"revision":"http://hg.mozilla.org/mozilla-central/rev/` + tt.revision + `"},"histograms":{}}`},
			limits:  tt.limits,
		}.run(t.Context())
		if (err != nil) != (tt.want == "") || strings.TrimSpace(got) != tt.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
}
