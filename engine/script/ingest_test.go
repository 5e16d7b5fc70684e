package script_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

var (
	release = schema.Dims{"saved_session", "Firefox", "release", "26.0", "20130909030204", "20130910"}
	nightly = schema.Dims{"saved_session", "Firefox", "nightly", "26.0a1", "20130909030204", "20130910"}
)

func ingestFilter(t *testing.T, text string, limits script.Limits) *script.FilterScript {
	t.Helper()
	s, err := script.Compile("ingest.js", text)
	if err != nil {
		t.Fatal(err)
	}

	f, err := script.NewFilterScript(t.Context(), s, limits, nil)
	if err != nil {
		t.Fatal(err)
	}

	return f
}

func TestDecide(t *testing.T) {
	const windows, linux = `{"info":{"OS":"WINNT"}}`, `{"info":{"OS":"Linux"}}`
	keep := script.Decision{}
	for _, c := range []struct {
		name, filter   string
		windows, linux script.Decision // of a release
		nightly        script.Decision
	}{
		{"keep in two ways", `export function ingest(id) { if (id === "b") return "keep" }`, keep, keep, keep},
		{"drop", `export function ingest(id, dims, ping) { if (ping.info.OS !== "WINNT") return "drop" }`, keep, script.Decision{Action: script.Drop, Reason: "ingest"}, keep},
		{"drop with a reason", `export function ingest(id) { if (id === "b") return { drop: "b" } }`, keep, script.Decision{Action: script.Drop, Reason: "b"}, keep},
		{"quarantine", `export function ingest(id, dims, ping) { if (ping.includes("Linux")) return { quarantine: "who: " + id } }`, keep, script.Decision{Action: script.Quarantine, Reason: "who: b"}, keep},
		{"empty reasons", `export function ingest(id) { return id === "a" ? { drop: "" } : { quarantine: "" } }`,
			script.Decision{Action: script.Drop, Reason: "ingest"}, script.Decision{Action: script.Quarantine, Reason: "ingest"}, script.Decision{Action: script.Quarantine, Reason: "ingest"}},
		{"match", `export const match = (id, dims, ping) => ping.info.OS === "WINNT"`, keep, script.Decision{Action: script.Drop, Reason: "match"}, keep},
		{"match comes before ingest", `export const match = () => false; export function ingest() { throw 1 }`,
			script.Decision{Action: script.Drop, Reason: "match"}, script.Decision{Action: script.Drop, Reason: "match"}, script.Decision{Action: script.Drop, Reason: "match"}},
		{"accept", `export function accept(dims) { return dims.appUpdateChannel !== "nightly" && dims[2] === dims.appUpdateChannel }; export function ingest(id, dims) { return dims[2] === "release" ? "keep" : { drop: dims[2] } }`,
			keep, keep, script.Decision{Action: script.Drop, Reason: "accept"}},
		{"dimensions", `export const dimensions = ["reason", "appName", "appUpdateChannel", "appVersion", "appBuildID", "submission_date"].map((n, i) => ({ field_name: n, allowed_values: i === 2 ? ["release"] : "*" }))`,
			keep, keep, script.Decision{Action: script.Drop, Reason: "dimensions"}},
		{"plain global function", `function ingest(id, dims) { return dims.reason === "saved_session" ? "keep" : "drop" }`, keep, keep, keep},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := ingestFilter(t, c.filter, script.IngestLimits()).NewIngestFilter(t.Context())
			defer d.Close()
			for range 2 {
				for _, r := range []struct {
					p        schema.Dims
					id, text string
					want     script.Decision
				}{{release, "a", windows, c.windows}, {release, "b", linux, c.linux}, {nightly, "c", windows, c.nightly}} {
					if got, err := d.Decide(r.p, []byte(r.id), []byte(r.text)); err != nil || got != r.want {
						t.Errorf("%s: %+v, %v; want %+v", r.id, got, err, r.want)
					}
				}
			}
		})
	}
}

// TestDecideFails: a filter that fails on one record says so, and judges the next.
func TestDecideFails(t *testing.T) {
	const want = `ingest.js:1:43: ingest: `
	for _, c := range []struct {
		name, bad string
		err       string
		is        error
	}{
		{"throws", `throw new Error("oh")`, want + "Error: oh", nil},
		{"throws a string", `throw "oh"`, `ingest.js:1:37: ingest: threw oh`, nil},
		{"unknown word", `return "dorp"`, `ingest.js: ingest: TypeError: ingest returned dorp: want "keep", "drop", {drop: "reason"} or {quarantine: "reason"}`, nil},
		{"number", `return 1`, "ingest returned 1", nil},
		{"boolean", `return false`, "ingest returned false", nil},
		{"null", `return null`, "ingest returned null", nil},
		{"two reasons", `return {drop: "a", quarantine: "b"}`, `ingest returned {"drop":"a","quarantine":"b"}`, nil},
		{"reason that is no string", `return {drop: 1}`, `ingest returned {"drop":1}`, nil},
		{"promise", `return (async () => "keep")()`, "ingest returned a promise: it must not be async", nil},
		{"function", `return ingest`, "ingest returned", nil},
		{"symbol", `return Symbol("x")`, "ingest returned", nil},
		{"throwing getter", `return { get drop() { throw new Error("oh") } }`, "Error: oh", nil},
		{"getter that loops", `return { get drop() { for (;;); } }`, "call time limit exceeded: 50ms", script.ErrTimeout},
		{"throwing proxy", `return new Proxy({}, { get() { throw new Error("oh") } })`, "Error: oh", nil},
		{"throwing toJSON", `return { drop: 1, toJSON() { throw 1 }, toString() { throw 2 } }`, "ingest: ", nil},
		{"endless loop", `for (;;);`, "call time limit exceeded: 50ms", script.ErrTimeout},
		{"endless loop in finally", `try { for (;;); } finally { for (;;); }`, "call time limit exceeded: 50ms", script.ErrTimeout},
		{"recursion", `return ingest(id)`, "maximum call stack size exceeded", script.ErrStack},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := ingestFilter(t, `export function ingest(id) { if(id) `+c.bad+` }`, limited(script.IngestLimits(), c.is)).NewIngestFilter(t.Context())
			defer d.Close()
			for range 3 {
				got, err := d.Decide(release, []byte("a"), []byte(`{}`))
				if err == nil || !strings.Contains(err.Error(), c.err) || got != (script.Decision{}) || c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%+v, %v; want an error with %q", got, err, c.err)
				}
				got, err = d.Decide(release, nil, []byte(`{}`))
				for c.is == script.ErrTimeout && errors.Is(err, script.ErrTimeout) { // on a busy machine
					got, err = d.Decide(release, nil, []byte(`{}`))
				}
				if err != nil || got != (script.Decision{}) {
					t.Errorf("the next record: %+v, %v", got, err)
				}
			}
		})
	}
}

// TestDecideHostile: whatever a script does to its runtime costs an error.
func TestDecideHostile(t *testing.T) {
	for _, text := range []string{
		`Object.freeze = () => { throw new Error("no") }; export function ingest() {}`,
		`Object = undefined; export function ingest() {}`,
		`JSON = undefined; export function ingest() { return {} }`,
		`String.prototype.indexOf = null; export function ingest(id, dims, ping) { return ping.indexOf("x") }`,
		`let n = 0; module.exports = new Proxy({}, { get(_, name) { if (n++ > 30) throw new Error(name); if (name === "ingest") return () => { throw 1 } } })`,
	} {
		d := ingestFilter(t, text, script.IngestLimits()).NewIngestFilter(t.Context())
		for range 50 {
			got, err := d.Decide(release, []byte("a"), []byte(`{}`))
			if err == nil || got != (script.Decision{}) {
				t.Errorf("%s: %+v, %v", text, got, err)
			}
			if _, bug := errors.AsType[*engine.PanicError](err); bug {
				t.Errorf("%s: the script's mistake is taken for the host's: %v", text, err)
			}
		}
		d.Close()
	}
}

// TestDecideEnds: what the context ends is no fault of the filter.
func TestDecideEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	d := ingestFilter(t, `export function ingest() { for (;;); }`, script.DefaultLimits()).NewIngestFilter(ctx)
	defer d.Close()
	why := errors.New("the end")
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	for range 2 {
		if _, err := d.Decide(release, nil, []byte(`{}`)); err != why {
			t.Errorf("%v", err)
		}
	}
}

// TestFilterKeepsNoPing: a view of a ping is not valid for the next record.
func TestFilterKeepsNoPing(t *testing.T) {
	d := ingestFilter(t, `let last; export function ingest(id, dims, ping) { if (last) return { drop: last.info.OS }; last = ping }`, script.IngestLimits()).NewIngestFilter(t.Context())
	defer d.Close()
	d.Decide(release, nil, []byte(`{"info":{"OS":"a"}}`))
	if got, err := d.Decide(release, nil, []byte(`{"info":{"OS":"b"}}`)); err == nil {
		t.Errorf("an old ping gave %+v", got)
	}
}

// TestIngestFilterInJobs: in a job, what ingest does not keep is left out.
func TestIngestFilterInJobs(t *testing.T) {
	j := job{
		text:    `export function map(id, dims, ping, ctx) { ctx.write(id, ping.info.OS) }`,
		filter:  `export function ingest(id, dims, ping) { return ping.info.OS === "Linux" ? { quarantine: "x" } : "keep" }`,
		records: []string{pingA, pingB},
	}

	if out, _, err := j.run(t.Context()); err != nil || out != "a\tWINNT\n" {
		t.Errorf("%q, %v", out, err)
	}

	j.filter = `export function ingest(id) { return 7 }`
	if _, _, err := j.run(t.Context()); err == nil || !strings.Contains(err.Error(), "filter.js: ingest: TypeError: ingest returned 7: want") || !strings.Contains(err.Error(), "(record a in seg000:1)") {
		t.Errorf("%v", err)
	}
}

func BenchmarkDecide(b *testing.B) {
	s, err := script.Compile("ingest.js", `export function ingest(id, dims, ping) { if (ping.info.OS === "none") return "drop" }`)
	if err != nil {
		b.Fatal(err)
	}

	f, err := script.NewFilterScript(b.Context(), s, script.IngestLimits(), nil)
	if err != nil {
		b.Fatal(err)
	}

	d := f.NewIngestFilter(b.Context())
	defer d.Close()
	text := []byte(`{"ver":2,"simpleMeasurements":{` + strings.TrimSuffix(strings.Repeat(`"startup":123,`, 3000), ",") + `},"info":{"OS":"Linux"}}`)
	for name, parts := range map[string][]schema.Dims{"one partition": {release}, "alternating": {release, nightly}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := d.Decide(parts[i%len(parts)], []byte("id"), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
