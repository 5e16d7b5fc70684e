package revisions

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sharedData = "../../shared/data"

// shared returns a file of ../shared/data; the test is skipped where that is
// missing, but in CI it fails.
func shared(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join(sharedData, name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return b
}

// bucketTables is the predecessor's document of bounds; see Spec.BucketTables.
type bucketTables struct {
	Histograms map[string]struct {
		Kind        string
		Min, Max    int
		Buckets     []int
		BucketCount int `json:"bucket_count"`
	}
}

// checkBounds compares the bounds of definitions with the predecessor's, and
// returns how many there are.
func checkBounds(t *testing.T, definitions, tables []byte) int {
	t.Helper()
	spec, err := Parse(definitions)
	if err != nil {
		t.Fatal(err)
	}

	var want, got bucketTables
	if err := errors.Join(json.Unmarshal(tables, &want), json.Unmarshal(spec.BucketTables(), &got)); err != nil {
		t.Fatal(err)
	}
	if len(got.Histograms) != len(want.Histograms) {
		t.Errorf("%d tables, want %d", len(got.Histograms), len(want.Histograms))
	}

	for name, w := range want.Histograms {
		g := got.Histograms[name]
		if g.Kind != w.Kind || g.Min != w.Min || g.Max != w.Max || g.BucketCount != w.BucketCount || !slices.Equal(g.Buckets, w.Buckets) {
			t.Errorf("%s: got %+v, want %+v", name, g, w)
		}

		d := spec.Lookup([]byte(name))
		if d == nil || !slices.Equal(d.Bounds(), w.Buckets) {
			t.Errorf("%s: bounds differ", name)
		}
	}

	// Only the two whose size is a C++ constant cannot be used as they are.
	for d := range spec.Definitions() {
		constant := d.Name == "GC_REASON_2" || d.Name == "STARTUP_MEASUREMENT_ERRORS"
		if d.Unsized != constant || (d.Err != nil) != constant {
			t.Errorf("%s: unsized %v, %v", d.Name, d.Unsized, d.Err)
		}
	}

	// With the constants replaced, all can be used.
	spec, err = Parse(replaceConstants(definitions))
	if err != nil {
		t.Fatal(err)
	}

	for d := range spec.Definitions() {
		if d.Err != nil {
			t.Error(d.Err)
		}
	}

	return len(want.Histograms)
}

// TestBoundsEqualThePredecessors compares some definitions of each kind and
// notation from a real Histograms.json, and all of two where they are at hand.
func TestBoundsEqualThePredecessors(t *testing.T) {
	t.Run("some", func(t *testing.T) {
		definitions, errD := os.ReadFile("testdata/Histograms.json")
		tables, errT := os.ReadFile("testdata/bucket_tables.json")
		if err := errors.Join(errD, errT); err != nil {
			t.Fatal(err)
		}

		checkBounds(t, definitions, tables)
	})

	for _, f := range []struct{ table, definitions string }{
		{"a55c55edf302", "releases/mozilla-release/a55c55edf302"},
		{"ad0ae007aa9e", "mozilla-central/ad0ae007aa9e"},
	} {
		t.Run(f.table, func(t *testing.T) {
			n := checkBounds(t, shared(t, "histogram_cache/"+f.definitions+"/Histograms.json"), shared(t, "bucket_tables/"+f.table+".json"))
			if n < 700 {
				t.Errorf("%d tables, want 700 or more", n)
			}
			t.Logf("%d tables equal", n)
		})
	}
}

func TestParseKinds(t *testing.T) {
	spec, err := Parse([]byte(`{
		"BOOL": {"kind": "boolean"}, "FLAG": {"kind": "flag"}, "COUNT": {"kind": "count", "keyed": true},
		"ENUM": {"kind": "enumerated", "n_values": "1 + 3"}, "ONE": {"kind": "enumerated", "n_values": 1},
		"LIN": {"kind": "linear", "low": 0, "high": "(80 + 1) * 2", "n_buckets": "6"},
		"EXP": {"kind": "exponential", "high": "16 * 1024", "n_buckets": 5, "bug_numbers": [1]},
		"GC_REASON_2": {"kind": "enumerated", "n_values": 101}, "SIZED": {"kind": "enumerated", "n_values": "kCount"},
		"NAMED": {"kind": "linear", "high": "SOME_CONSTANT", "n_buckets": 10},
		"ODD": {"kind": "odd"}, "LABELS": {"kind": "categorical", "labels": ["a", "b"], "n_values": 3}, "HASH#": {"kind": "flag"}, "NO_HIGH": {"kind": "linear", "n_buckets": 5},
		"FLOAT": {"kind": "linear", "high": 1.5, "n_buckets": 5}, "HUGE": {"kind": "linear", "high": 2000000000, "n_buckets": 1000000000},
		"LIST": [], "BOOL": {"kind": "flag"}
	}`))
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name string
		kind Kind
		want []int // nil: cannot be used
	}{
		{"BOOL", Flag, []int{0, 1, 2}}, {"FLAG", Flag, []int{0, 1, 2}}, {"COUNT", Count, []int{0, 1, 2}},
		{"ENUM", Enumerated, []int{0, 1, 2, 3, 4}}, {"ONE", Enumerated, []int{0, 1, 2}},
		{"LIN", Linear, []int{0, 1, 41, 82, 122, 162}}, {"EXP", Exponential, []int{0, 1, 25, 640, 16384}},
		{"STARTUP_EXP", Exponential, []int{0, 1, 25, 640, 16384}},
		{"LABELS", Categorical, []int{0, 1, 2, 3}},
		{"NAMED", 0, nil}, {"SIZED", 0, nil}, {"ODD", 0, nil}, {"HASH#", 0, nil}, {"NO_HIGH", 0, nil}, {"FLOAT", 0, nil}, {"HUGE", 0, nil}, {"LIST", 0, nil},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := spec.Lookup([]byte(tt.name))
			if d == nil {
				t.Fatal("no definition")
			}
			if d.Kind != tt.kind || !slices.Equal(d.Bounds(), tt.want) || (d.Err != nil) != (tt.want == nil) {
				t.Errorf("got %v %v (%v), want %v %v", d.Kind, d.Bounds(), d.Err, tt.kind, tt.want)
			}
		})
	}
	if d := spec.Lookup([]byte("LABELS")); !slices.Equal(d.Labels, []string{"a", "b"}) {
		t.Errorf("labels %q", d.Labels)
	}
	for labels, want := range map[int]int{0: 51, 2: 51, 60: 61} {
		text := `{"A":{"kind":"categorical","labels":["` + strings.Repeat(`x","`, max(labels-1, 0)) + `y"]}}`
		many, err := Parse([]byte(text))
		if err != nil || many.Lookup([]byte("A")).BucketCount != want {
			t.Errorf("%d labels: %+v, %v, want %d buckets", labels, many.Lookup([]byte("A")), err, want)
		}
	}
	if d := spec.Lookup([]byte("GC_REASON_2")); d.BucketCount != 102 || !d.Guessed || spec.Lookup([]byte("LIN")).Guessed {
		t.Errorf("GC_REASON_2 is %+v, want 102 buckets, a guess", d)
	}
	if err := spec.Lookup([]byte("ODD")).Err; err == nil || !strings.Contains(err.Error(), "don't know how to handle a histogram of kind") {
		t.Errorf("ODD: %v", err)
	}
	if !spec.Lookup([]byte("SIZED")).Unsized || spec.Lookup([]byte("NAMED")).Unsized {
		t.Error("only SIZED has an unknown bucket count")
	}
	if spec.Lookup([]byte("STARTUP_")) != nil || spec.Lookup([]byte("X")) != nil {
		t.Error("found a definition that is not there")
	}

	name := []byte("STARTUP_EXP")
	if n := testing.AllocsPerRun(100, func() { spec.Lookup(name) }); n != 0 {
		t.Errorf("Lookup allocates %v times", n)
	}
}

// TestEveryKindIsReadAndSent goes through the kinds: each has a name under which
// definitions have it, bounds, and a type code that browsers know.
func TestEveryKindIsReadAndSent(t *testing.T) {
	for kind := range numKinds {
		name := kind.String()
		text := `{"A": {"kind": "` + name + `", "high": 10, "n_buckets": 4, "n_values": 4}}`
		spec, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}

		d := spec.Lookup([]byte("A"))
		if d.Err != nil || d.Kind != kind || len(d.Bounds()) != d.BucketCount || d.Bounds()[d.BucketCount-1] != d.High {
			t.Errorf("%s: read as %+v", name, d)
		}
		want := kind
		if kind == Enumerated {
			want = Linear // which it is to browsers
		}
		if of, ok := KindOf(kind.TypeCode()); !ok || of != want {
			t.Errorf("%s: type code %d, which is that of %s", name, kind.TypeCode(), of)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "[]", "<html>", `{"A": {"kind": "flag"}`, `{"A": {"kind": "flag"}} x`, `{"A": }`} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrBadDefinitions) {
			t.Errorf("Parse(%q) = %v", text, err)
		}
	}
}

func TestEvaluate(t *testing.T) {
	for text, want := range map[string]int64{
		"80 + 1": 81, "16 * 1024 * 1024": 16 << 20, "2+3*4": 14, "(2+3)*4": 20, " -7 / 2 ": -3, "7/2": 3, "10-2-3": 5,
	} {
		if got, err := evaluate(text); err != nil || got != want {
			t.Errorf("evaluate(%q) = %d, %v, want %d", text, got, err, want)
		}
	}

	for _, text := range []string{
		"", "(", "1 +", "1 2", "1/0", "9223372036854775807 + 1", "9999999999 * 9999999999", "__import__('os')", "2**3", "1.5", "kCount", "(((1)", "-9223372036854775807 - 9",
		"5 // 2", "5 /* 2 */", "()", "1(2)", "010 * 08", "0x10", "1 << 2",
	} {
		if got, err := evaluate(text); err == nil {
			t.Errorf("evaluate(%q) = %d, want an error", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"A": {"kind": "linear", "low": 1, "high": "80 + 1", "n_buckets": "(1+2)*3"}}`))
	f.Add([]byte(`{"A": {"kind": "exponential", "high": 100, "n_buckets": 50}, "B": {"kind": "enumerated", "n_values": 2}}`))
	f.Add([]byte(`{"A": 1, "A": {"kind": "flag"}, "": null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		spec, err := Parse(text)
		if err != nil {
			return
		}

		for d := range spec.Definitions() {
			b := d.Bounds()
			if d.Err != nil {
				if b != nil {
					t.Errorf("%s has bounds and %v", d.Name, d.Err)
				}
				continue
			}
			if len(b) != d.BucketCount || b[0] != 0 || b[1] != d.Low || !slices.IsSorted(b) {
				t.Errorf("%+v", d)
			}
		}
		if !json.Valid(spec.BucketTables()) {
			t.Errorf("BucketTables of %q: not JSON", text)
		}
	})
}
