package gen

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// ping is what the tests look at.
type ping struct {
	Histograms map[string]struct {
		Range          [2]int           `json:"range"`
		BucketCount    int              `json:"bucket_count"`
		Type           int              `json:"histogram_type"`
		Values         map[string]int64 `json:"values"`
		Sum            int64            `json:"sum"`
		LogSum         *float64         `json:"log_sum"`
		SumSquaresLow  *uint32          `json:"sum_squares_lo"`
		SumSquaresHigh *uint32          `json:"sum_squares_hi"`
	} `json:"histograms"`
	Info map[string]any `json:"info"`
}

func TestPingsAgreeWithTheDefinitions(t *testing.T) {
	spec, err := revisions.Parse(Definitions)
	if err != nil {
		t.Fatal(err)
	}

	g := New(7)
	var bytesTotal int
	for i := range 2000 {
		p := g.Ping(i)
		var got ping
		if err := json.Unmarshal(p.JSON, &got); err != nil {
			t.Fatalf("ping %d: %v\n%s", i, err, p.JSON)
		}

		bytesTotal += len(p.JSON)
		if n := len(got.Histograms); n < 150 || n > 300 {
			t.Errorf("ping %d has %d histograms, want 150 to 300", i, n)
		}
		if n := len(p.JSON); n < 20_000 || n > 40_000 {
			t.Errorf("ping %d has %d bytes, want 20 to 40 kB", i, n)
		}

		for name, h := range got.Histograms {
			d := spec.Lookup([]byte(name))
			if d == nil || d.Kind.TypeCode() != h.Type || d.BucketCount != h.BucketCount || h.Range != [2]int{d.Low, d.High} {
				t.Fatalf("ping %d: %s is %+v, defined as %+v", i, name, h, d)
			}
			var sum int64
			var logSum float64
			for key, n := range h.Values {
				b, err := strconv.Atoi(key)
				if err != nil || !slices.Contains(d.Bounds(), b) || n < 0 {
					t.Fatalf("ping %d: %s has bucket %q: %d", i, name, key, n)
				}
				sum += int64(b) * n
				logSum += float64(n) * math.Log1p(float64(b))
			}
			if sum != h.Sum {
				t.Fatalf("ping %d: %s has sum %d, its buckets %d", i, name, h.Sum, sum)
			}
			if (d.Kind == revisions.Exponential) != (h.LogSum != nil) || (h.LogSum == nil) != (h.SumSquaresLow != nil) {
				t.Fatalf("ping %d: %s of kind %v has the wrong sums", i, name, d.Kind)
			}
			if h.LogSum != nil && *h.LogSum != 0 && math.Abs(*h.LogSum-logSum) > 1e-9*(1+logSum) {
				t.Fatalf("ping %d: %s has log_sum %v, its buckets %v", i, name, *h.LogSum, logSum)
			}
		}

		for dim, name := range schema.DimNames[:schema.SubmissionDate] {
			if got.Info[name] != p.Dims[dim] {
				t.Errorf("ping %d: info.%s is %v, the dimension %q", i, name, got.Info[name], p.Dims[dim])
			}
		}
	}

	t.Logf("mean %d bytes", bytesTotal/300)
}

func TestKeysAreInBrowserOrder(t *testing.T) {
	dec := json.NewDecoder(bytes.NewReader(New(1).Ping(0).JSON))
	var got []string
	for depth := 0; ; {
		tok, err := dec.Token()
		if err != nil {
			break
		}

		switch v := tok.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				depth++
			} else {
				depth--
			}
		case string:
			if depth == 1 {
				got = append(got, v)
			}
		}
	}

	order := []string{"ver", "simpleMeasurements", "histograms", "slowSQL", "chromeHangs", "lateWrites", "addonHistograms", "fileIOReports", "addonDetails", "info"}
	if !slices.IsSortedFunc(got, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) }) || got[0] != "ver" || got[len(got)-1] != "info" {
		t.Errorf("keys are %q", got)
	}
}

func TestPingIsAFunctionOfSeedAndNumber(t *testing.T) {
	a, b := New(3), New(3)
	b.Ping(17)
	for i := range 20 {
		pa, pb := a.Ping(i), b.Ping(i)
		if !bytes.Equal(pa.JSON, pb.JSON) || pa.Path() != pb.Path() || !pa.Time.Equal(pb.Time) {
			t.Fatalf("ping %d differs between two generators of one seed", i)
		}
	}
	if bytes.Equal(a.Ping(0).JSON, New(4).Ping(0).JSON) {
		t.Error("two seeds give the same ping")
	}
}

func TestEveryKindAndNotationIsDefined(t *testing.T) {
	spec, err := revisions.Parse(Definitions)
	if err != nil {
		t.Fatal(err)
	}

	n, kinds := 0, map[revisions.Kind]int{}
	for d := range spec.Definitions() {
		if d.Err != nil {
			t.Error(d.Err)
		}

		n++
		kinds[d.Kind]++
	}
	if n < 300 || len(kinds) != 6 {
		t.Errorf("%d definitions of kinds %v, want 300 or more of 6", n, kinds)
	}

	for _, text := range []string{`"80 + 1"`, `"high": "10000"`, `"keyed": true`} {
		if !bytes.Contains(Definitions, []byte(text)) {
			t.Errorf("no definition has %s", text)
		}
	}
}

func BenchmarkPing(b *testing.B) {
	g := New(1)
	b.ReportAllocs()
	var total int64
	for i := 0; b.Loop(); i++ {
		total += int64(len(g.Ping(i).JSON))
	}
	b.SetBytes(total / int64(b.N))
}
