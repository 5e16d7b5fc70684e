package revisions

import (
	"os"
	"testing"
)

// BenchmarkParse reads the definitions that gen's pings have.
func BenchmarkParse(b *testing.B) {
	text, err := os.ReadFile("../ingest/gen/Histograms.json")
	if err != nil {
		b.Fatal(err)
	}

	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLookup looks up a definition as the converter does for each histogram.
func BenchmarkLookup(b *testing.B) {
	spec, err := Parse([]byte(`{"GC_MS": {"kind": "exponential", "high": 10000, "n_buckets": 50}}`))
	if err != nil {
		b.Fatal(err)
	}

	name := []byte("GC_MS")
	b.ReportAllocs()
	for b.Loop() {
		if spec.Lookup(name) == nil {
			b.Fatal("not found")
		}
	}
}
