package histogram

import (
	"testing"

	"github.com/aitgithub/telemetry-server/revisions"
)

// TestUsualSieveAgrees changes each byte of a histogram as browsers send it. Whatever the
// usual path accepts, the careful one must accept, up to the same byte.
func TestUsualSieveAgrees(t *testing.T) {
	definition, err := revisions.NewDefinition("H", revisions.Exponential, 1, 64000, 100)
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	check := func(text []byte) {
		usual, careful := NewSieve(), NewSieve()
		for _, s := range []*Sieve{usual, careful} {
			s.Begin(nil)
			s.text = text
		}
		end, said, ok := usual.usual(0)
		if !ok {
			return
		}
		accepted++
		for _, d := range []*revisions.Definition{nil, definition} {
			want := ""
			if d != nil {
				want = said.mismatch(d)
			}
			gotEnd, reason, err := careful.careful(0, d)
			if err != nil || gotEnd != end || reason != want {
				t.Fatalf("%s: usual %d %q, careful %d %q %v", text, end, want, gotEnd, reason, err)
			}
		}
	}

	for _, text := range []string{
		`{"bucket_count":100,"histogram_type":0,"sum":139,"range":[1,64000],"values":{"1":0,"2":1,"75":0}}`,
		`{"bucket_count":3,"histogram_type":2,"sum":0,"range":[1,2],"values":{}}`,
		`{"bucket_count":51,"histogram_type":5,"sum":4,"range":[1,50],"values":{"0":0,"1":4,"2":0}}`,
	} {
		before := accepted
		check([]byte(text))
		if accepted == before {
			t.Errorf("%s: not usual", text)
		}
		for i := range text {
			check([]byte(text[:i]))
			for _, c := range []byte(`0129-+.e"{}[]:, al`) {
				changed := []byte(text)
				changed[i] = c
				check(changed)
			}
		}
	}
	t.Logf("%d accepted", accepted)
}

// TestPingBuckets: a ping may have only so many bucketings, whatever came before it.
func TestPingBuckets(t *testing.T) {
	s := NewSieve()
	first := 0
	for round := range 3 {
		s.Begin(nil)
		refused := 0
		for n := range int64(40) {
			if s.bucketings.bounds(&bucketing{kind: 1, low: 1, high: 20_000 + n, buckets: 9_000}, nil) == nil {
				refused++
			}
		}
		if round == 0 {
			first = refused
		}
		if refused == 0 || refused != first {
			t.Errorf("round %d: %d refused, first %d", round, refused, first)
		}
	}
}
