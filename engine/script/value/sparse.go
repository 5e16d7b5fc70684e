package value

import (
	"bytes"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// sparseBucketing is what a histogram that was stored as it was sent says of its buckets.
type sparseBucketing struct {
	kind, low, high, buckets int64
}

// maxSparseBucketings bounds the bucketings that a Runtime has at hand.
const maxSparseBucketings = 1000

// sparseHistogram returns a histogram of a current ping, which is stored as it was sent:
// it says its own bucketing and has the counts by their bounds. It is nil if it does not.
func (r *Runtime) sparseHistogram(name string, stored *lazyObject) *bound {
	stored.alive()
	stored.materialise()
	said := sparseBucketing{-1, -1, -1, -1}
	values := -1
	tail := [layout.TailNumbers]float64{-1, -1, -1, -1, -1}

	it := jsonscan.MembersTrusted(stored.text, stored.start)
	for it.Next() {
		switch string(it.Key) {
		case "histogram_type":
			said.kind, _ = jsonscan.Int(it.Value())
		case "bucket_count":
			said.buckets, _ = jsonscan.Int(it.Value())
		case "range":
			said.low, said.high = twoInts(it.Value())
		case "values":
			values = it.Start
		}
		if at := slices.Index(tailNames[:], string(it.Key)); at >= 0 {
			if sum, ok := number(it.Value()); ok {
				tail[at] = sum
			}
		}
	}

	def := r.sparseDefinition(said, name)
	if def == nil || values < 0 || stored.text[values] != '{' {
		return nil
	}
	numbers := make([]float64, def.BucketCount, def.BucketCount+layout.TailNumbers)
	for it := jsonscan.MembersTrusted(stored.text, values); it.Next(); {
		bucket, _ := jsonscan.Int(it.Key)
		at, found := slices.BinarySearch(def.Bounds(), int(bucket))
		count, ok := number(it.Value())
		if found && ok {
			numbers[at] = count
		}
	}
	return &bound{r: r, def: def, numbers: append(numbers, tail[:]...)}
}

// tailNames are the sums that follow the buckets, in the order of stored histograms.
var tailNames = [layout.TailNumbers]string{"sum", "log_sum", "log_sum_squares", "sum_squares_lo", "sum_squares_hi"}

// sparseDefinition returns the definition that a bucketing amounts to, nil for a bucketing that cannot be.
func (r *Runtime) sparseDefinition(said sparseBucketing, name string) *revisions.Definition {
	like, ok := r.sparse[said]
	if !ok {
		if kind, ok := revisions.KindOf(int(said.kind)); ok {
			like, _ = revisions.NewDefinition(name, kind, int(said.low), int(said.high), int(said.buckets))
		}
		if r.sparse == nil || len(r.sparse) >= maxSparseBucketings {
			r.sparse = map[sparseBucketing]*revisions.Definition{}
		}
		r.sparse[said] = like
	}
	if like == nil || like.Name == name {
		return like
	}

	named := *like
	named.Name = name
	return &named
}

// twoInts returns the two numbers of a range, -1 for text that is not a range.
func twoInts(value []byte) (low, high int64) {
	if len(value) < 2 || value[0] != '[' {
		return -1, -1
	}
	first, second, _ := bytes.Cut(value[1:len(value)-1], []byte{','})
	low, okLow := jsonscan.Int(bytes.TrimSpace(first))
	high, okHigh := jsonscan.Int(bytes.TrimSpace(second))
	if !okLow || !okHigh {
		return -1, -1
	}
	return low, high
}
