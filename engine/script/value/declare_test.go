package value

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

const declaredPing = `{"clientID":"c1","info":{"revision":"http://hg.mozilla.org/mozilla-central/rev/abc123abc123"},"histograms":{"LIN":[1,2,1,0,70,-1,-1,5,0]}}`

// same compares names in any order.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s has %q, declared are %q", what, got, want)
	}
}

// TestPingIsDeclared: a ping has the declared members, those of String, and no
// others.
func TestPingIsDeclared(t *testing.T) {
	r := New(goja.New(), nil)
	ping := r.Ping([]byte(declaredPing)).(*goja.Object)

	for _, name := range append(declare.Members(declare.Ping), declare.StringMembers()...) {
		if v := ping.Get(name); v == nil || goja.IsUndefined(v) {
			t.Errorf("a ping lacks %s, which is declared", name)
		}
	}

	ours := slices.Collect(maps.Keys(pingMethods))
	for _, name := range slices.AppendSeq(ours, maps.Keys(pingProperties)) {
		if !slices.Contains(declare.Members(declare.Ping), name) && !slices.Contains(declare.StringMembers(), name) {
			t.Errorf("a ping has %s, which is not declared", name)
		}
	}
}

// TestHistogramIsDeclared: what ping.histogram(name) returns has the declared
// members, and no others.
func TestHistogramIsDeclared(t *testing.T) {
	spec, err := revisions.Parse([]byte(`{"LIN": {"kind": "linear", "low": 10, "high": 30, "n_buckets": 4, "description": ""}}`))
	if err != nil {
		t.Fatal(err)
	}

	rt := goja.New()
	r := New(rt, func(string) (*revisions.Spec, error) { return spec, nil })
	rt.Set("ping", r.Ping([]byte(declaredPing)))
	v, err := rt.RunString(`ping.histogram("LIN")`)
	if err != nil {
		t.Fatal(err)
	}

	histogram := v.(*goja.Object)
	got := histogram.Prototype().GetOwnPropertyNames()
	for _, p := range histogramProperties {
		if histogram.Get(p.name) == nil {
			t.Errorf("a histogram lacks its own %s", p.name)
		}
		got = append(got, p.name)
	}

	same(t, "a histogram", got, declare.Members(declare.BoundHistogram))
}

// TestDimsAreDeclared: dims has the values by index and by the names of the
// schema, which types.d.ts has from there.
func TestDimsAreDeclared(t *testing.T) {
	r := New(goja.New(), nil)
	r.SetDims(schema.Dims{"saved_session", "Firefox", "nightly", "26.0a1", "20130909030204", "20130910"})

	var got []string
	for _, name := range r.Dims().(*goja.Object).GetOwnPropertyNames() {
		if isIndex := name[0] >= '0' && name[0] <= '9'; !isIndex && name != "length" {
			got = append(got, name)
		}
	}

	same(t, "dims", got, schema.DimNames[:])
	for _, name := range got {
		if !strings.Contains(declare.Types(nil), "readonly "+name+": string") {
			t.Errorf("types.d.ts lacks %s", name)
		}
	}
}
