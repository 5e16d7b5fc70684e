package value

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/revisions"
)

// definitionsOf returns the definitions of every revision but a few.
func definitionsOf(spec *revisions.Spec) func(url string) (*revisions.Spec, error) {
	return func(url string) (*revisions.Spec, error) {
		ref, err := revisions.ParseURL(url)
		if err != nil {
			return nil, err
		}
		switch ref.Revision {
		case "ffff00ff00ff":
			return nil, revisions.ErrNotFound
		case "0ff0ff0ff0ff":
			return nil, revisions.ErrOffline
		case "dddd00dd00dd":
			return nil, revisions.ErrUnavailable
		}
		return spec, nil
	}
}

// histogramPing is a ping of a revision.
func histogramPing(rev string) []byte {
	return []byte(`{"info":{"revision":"http://hg.mozilla.org/mozilla-central/rev/` + rev + `"},"histograms":{"LIN":[1,2,1,0,70,-1,-1,5,0],"OTHER":[1,0,0,0,1,-1,-1,-1,-1],"STARTUP_LIN":[0,0,0,2,-1,3,-1],"BIG":[1,2,3],"NONE":[1,2,3,4]}}`)
}

// withHistograms returns a runtime with a global ping of a revision whose
// definitions are known unless definitions is nil.
func withHistograms(t *testing.T, rev string, defined bool) (*goja.Runtime, *Runtime) {
	t.Helper()
	spec, err := revisions.Parse([]byte(`{
		"LIN": {"kind": "linear", "low": 10, "high": 30, "n_buckets": 4, "description": ""},
		"OTHER": {"kind": "linear", "low": 10, "high": 40, "n_buckets": 4, "description": ""},
		"BIG": {"kind": "linear", "low": 10, "high": 40, "n_buckets": 9, "description": ""}}`))
	if err != nil {
		t.Fatal(err)
	}

	definitions := definitionsOf(spec)
	if !defined {
		definitions = nil
	}

	rt := goja.New()
	r := New(rt, definitions)
	rt.Set("ping", r.Ping(histogramPing(rev)))
	return rt, r
}

func TestPingHistogram(t *testing.T) {
	for expr, want := range map[string]string{
		`ping.histogram("LIN").kind`:                                      "linear",
		`ping.histogram("LIN").bounds.join()`:                             "0,10,20,30",
		`ping.histogram("LIN").counts.join()`:                             "1,2,1,0",
		`ping.histogram("LIN").sum`:                                       "70",
		`ping.histogram("STARTUP_LIN").sum`:                               "undefined",
		`ping.histogram("LIN").samples`:                                   "4",
		`ping.histogram("LIN").percentile(50)`:                            "15",
		`ping.layout("LIN") + ping.layout("LIN")`:                         "linear 10 to 30linear 10 to 30",
		`ping.layout("NONE")`:                                             "unknown",
		`ping.histogram("missing")`:                                       "undefined",
		`Object.keys(ping.histogram("LIN")).join()`:                       "name,kind,bounds,counts,sum,samples",
		`ping.histogram("LIN").add(ping.histogram("LIN")).numbers.join()`: "2,4,2,0,140,-1,-1,10,0",
		`(() => { try { ping.histogram("LIN").add(ping.histogram("OTHER")) } catch (e) { return e.message } })()`: "LIN (linear, 10 to 30 in 4 buckets) and OTHER (linear, 10 to 40 in 4 buckets) do not add up",
		`(() => { try { ping.histogram("BIG") } catch (e) { return e.message } })()`:                              "histogram BIG has 3 numbers, its definition 9 buckets: they do not belong together",
	} {
		t.Run(expr, func(t *testing.T) {
			rt, _ := withHistograms(t, "abc123abc123", true)
			got, err := rt.RunString("String(" + expr + ")")
			if err != nil || got.String() != want {
				t.Errorf("got %v, %v, want %q", got, err, want)
			}
		})
	}
}

// TestPercentileInterpolates: between the values of a kind whose buckets are values,
// there is nothing.
func TestPercentileInterpolates(t *testing.T) {
	for kind, want := range map[string]float64{
		`"exponential", "high": 2, "n_buckets": 3`: 1.5,
		`"linear", "high": 2, "n_buckets": 3`:      1.5,
		`"enumerated", "n_values": 2`:              1,
		`"boolean"`:                                1,
		`"flag"`:                                   1,
		`"count"`:                                  1,
	} {
		spec, err := revisions.Parse([]byte(`{"H": {"description": "", "kind": ` + kind + `}}`))
		if err != nil {
			t.Fatal(err)
		}

		def := spec.Lookup([]byte("H"))
		h := &bound{def: def, numbers: []float64{1, 2, 1, -1, -1, -1, -1, -1}}
		if got := h.percentile(50); got != want {
			t.Errorf("%s: the median is %v, want %v", kind, got, want)
		}
	}
}

// TestHistogramAsValue: written, a histogram is its stored form.
func TestHistogramAsValue(t *testing.T) {
	rt, r := withHistograms(t, "abc123abc123", true)
	v, err := rt.RunString(`ping.histogram("LIN")`)
	if err != nil {
		t.Fatal(err)
	}

	if got, want := string(datum.AppendJSON(nil, r.EncodeValue(v))), "[1,2,1,0,70,-1,-1,5,0]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestEmittedHistogram: written and read again, a histogram is the same, and the module
// histogram adds such histograms up, but not with arrays or those of another bucketing.
func TestEmittedHistogram(t *testing.T) {
	for expr, want := range map[string]string{
		`[h.name, h.kind, h.bounds, h.counts, h.sum, h.samples, h.percentile(50)].join(" ")`: "LIN linear 0,10,20,30 1,2,1,0 70 4 15",
		`h.add(h).numbers.join()`:                             "2,4,2,0,140,-1,-1,10,0",
		`h.add(ping.histogram("LIN")).sum`:                    "140",
		`sum([h, h, ping.histogram("LIN")]).counts.join()`:    "3,6,3,0",
		`sum([h]).percentile(50) + h.samples`:                 "19",
		`(add(add(undefined, h), h).sum) + h.sum`:             "210",
		`sum([h.numbers, h.numbers]).join()`:                  "2,4,2,0,140,-1,-1,10,0",
		`attempt(() => sum([h, h.numbers]))`:                  "histogram: up to value 1 some are histograms and some are arrays, which do not say what bucketing they have",
		`attempt(() => sum([h.numbers, h]))`:                  "histogram: up to value 1 some are histograms and some are arrays, which do not say what bucketing they have",
		`attempt(() => add(add(undefined, h), h.numbers))`:    "histogram.add: of the total and what is added, one is an array, which does not say which bucketing it has",
		`attempt(() => add(add(undefined, h.numbers), h))`:    "histogram.add: of the total and what is added, one is an array, which does not say which bucketing it has",
		`attempt(() => sum([h, ping.histogram("OTHER")]))`:    "LIN (linear, 10 to 30 in 4 buckets) and OTHER (linear, 10 to 40 in 4 buckets) do not add up",
		`attempt(() => ping.histogram("STARTUP_LIN").add(h))`: "LIN (linear, 10 to 30 in 4 buckets) with 3 sums and LIN (linear, 10 to 30 in 4 buckets) with 5 sums do not add up",
	} {
		t.Run(expr, func(t *testing.T) {
			rt, r := withHistograms(t, "abc123abc123", true)
			written, err := rt.RunString(`({ inside: [ping.histogram("LIN")] })`)
			if err != nil {
				t.Fatal(err)
			}
			rt.Set("read", r.Decode(bytes.Clone(r.EncodeValue(written))))

			got, err := rt.RunString(`const h = read.inside[0], sum = __host.sumHistograms, add = __host.addHistogram
				const attempt = (f) => { try { return f() } catch (e) { return e.message } }
				String(` + expr + ")")
			if err != nil || got.String() != want {
				t.Errorf("got %v, %v, want %q", got, err, want)
			}
		})
	}
}

func TestPingHistogramFails(t *testing.T) {
	for _, tt := range []struct {
		name, rev, histogram string
		defined              bool
		want                 string
		engine               bool // the error is the engine's, not the script's
	}{
		{"not defined", "abc123abc123", "NONE", true, "does not define histogram NONE", false},
		{"unknown revision", "ffff00ff00ff", "LIN", true, "no such revision", true},
		{"no definitions", "abc123abc123", "LIN", false, ErrNoDefinitions.Error(), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rt, r := withHistograms(t, tt.rev, tt.defined)
			_, err := rt.RunString(`ping.histogram("` + tt.histogram + `")`)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrEngine) != tt.engine {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if r.Missed() != tt.engine {
				t.Errorf("missed is %v", r.Missed())
			}
		})
	}
}

func TestPingLayout(t *testing.T) {
	for _, tt := range []struct {
		name, rev string
		defined   bool
		want      string // "": an error
	}{
		{"defined", "abc123abc123", true, "linear 10 to 30"},
		{"no definitions", "abc123abc123", false, "unknown"},
		{"unknown revision", "ffff00ff00ff", true, "unknown"},
		{"offline", "0ff0ff0ff0ff", true, "unknown"},
		{"no revision", "", true, "unknown"},
		{"the server does not answer", "dddd00dd00dd", true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rt, _ := withHistograms(t, tt.rev, tt.defined)
			got, err := rt.RunString(`ping.layout("LIN")`)
			switch {
			case tt.want == "" && err == nil:
				t.Errorf("got %v, want an error", got)
			case tt.want != "" && (err != nil || got.String() != tt.want):
				t.Errorf("got %v, %v, want %q", got, err, tt.want)
			}
		})
	}
}
