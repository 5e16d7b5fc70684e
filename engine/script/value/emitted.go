package value

import (
	"fmt"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/revisions"
)

// view returns the histogram as a script sees it.
func (b *bound) view() goja.Value {
	object := b.r.rt.NewDynamicObject(b)
	object.SetPrototype(b.r.histogramProto())
	return object
}

// appendTo appends the histogram with its bucketing, so that combine and reduce get a
// histogram again.
func (b *bound) appendTo(dst []byte) []byte {
	return datum.AppendHistogram(dst, datum.Bucketing{
		Name: b.def.Name, Kind: b.def.Kind.String(), Low: b.def.Low, High: b.def.High, Buckets: b.def.BucketCount,
	}, b.numbers)
}

// maxBucketings bounds the bucketings that are cached: far more than a task has.
const maxBucketings = 10_000

// decodeHistogram returns the histogram that d begins with, and what is behind it.
func (r *Runtime) decodeHistogram(d []byte) (decoded *bound, rest []byte, err error) {
	of, numbers, rest, err := datum.DecodeHistogram(d)
	if err != nil {
		return nil, nil, err
	}

	def := r.bucketings[of]
	if def == nil {
		if def, err = definitionOf(of); err != nil {
			return nil, nil, err
		}
		if r.bucketings == nil || len(r.bucketings) >= maxBucketings {
			r.bucketings = map[datum.Bucketing]*revisions.Definition{}
		}
		r.bucketings[of] = def
	}

	if len(numbers) < def.BucketCount+minTailNumbers {
		return nil, nil, datum.ErrMalformed
	}
	return &bound{r: r, def: def, numbers: numbers}, rest, nil
}

// definitionOf returns the definition that an emitted histogram's bucketing amounts to.
func definitionOf(of datum.Bucketing) (*revisions.Definition, error) {
	if kind, ok := revisions.GleanKind(of.Kind); ok {
		return revisions.NewGlean(of.Name, kind), nil
	}

	kind, ok := revisions.ParseKind(of.Kind)
	if !ok {
		return nil, fmt.Errorf("histogram %s of kind %q: %w", of.Name, of.Kind, datum.ErrMalformed)
	}
	def, err := revisions.NewDefinition(of.Name, kind, of.Low, of.High, of.Buckets)
	if err != nil {
		return nil, fmt.Errorf("histogram %s: %w: %w", of.Name, datum.ErrMalformed, err)
	}
	return def, nil
}

// mustDecodeHistogram returns a histogram of the engine's, or throws.
func (r *Runtime) mustDecodeHistogram(d []byte) *bound {
	decoded, _, err := r.decodeHistogram(d)
	if err != nil {
		r.Throw(err)
	}
	return decoded
}

// String names the histogram and its bucketing, for messages.
func (b *bound) String() string {
	return fmt.Sprintf("%s (%s, %d to %d in %d buckets)", b.def.Name, b.def.Kind, b.def.Low, b.def.High, b.def.BucketCount)
}

// add adds another histogram of the same bucketing.
func (b *bound) add(other *bound) {
	own, others := b.def, other.def
	same := own == others || own.Kind == others.Kind && own.Low == others.Low && own.High == others.High && own.BucketCount == others.BucketCount
	switch {
	case !same:
		b.r.ThrowType("%s and %s do not add up", b, other)
	case len(b.numbers) != len(other.numbers):
		// Data from before 2014 have fewer sums.
		b.r.ThrowType("%s with %d sums and %s with %d sums do not add up", b, len(b.numbers)-own.BucketCount, other, len(other.numbers)-own.BucketCount)
	}

	for i, number := range other.numbers {
		b.numbers[i] = addNumber(b.numbers[i], number, i < own.BucketCount)
	}
}

// histogramSum adds up the values of a list that are all histograms of one bucketing, or
// all arrays of numbers.
type histogramSum struct {
	r       *Runtime
	numbers []float64 // of arrays
	bound   *bound    // of histograms; nil: there is none yet
}

// add adds the value at a position of the list.
func (s *histogramSum) add(position int, d []byte) {
	isBound := datum.Kind(d[0]) == datum.Histogram
	switch {
	case position > 0 && isBound != (s.bound != nil):
		s.r.ThrowType("histogram: up to value %d some are histograms and some are arrays, which do not say what bucketing they have", position)
	case !isBound:
		s.numbers = s.r.addHistogram(s.numbers, position, d)
	case position == 0:
		s.bound = s.r.mustDecodeHistogram(d)
	default:
		s.bound.add(s.r.mustDecodeHistogram(d))
	}
}
