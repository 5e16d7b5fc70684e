package value

import (
	"math"
	"reflect"
	"slices"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// bound is a histogram of a ping, bound to its definition: ping.histogram(name); or one
// that was emitted, bound to the bucketing with which it was.
type bound struct {
	r   *Runtime
	def *revisions.Definition
	// numbers are the bucket counts, then the sums that were stored.
	numbers []float64
}

var boundType = reflect.TypeFor[*bound]()

// minTailNumbers is how many sums follow the bucket counts in data from before 2014.
const minTailNumbers = 3

// pingHistogram is ping.histogram(name, {process, key}): undefined where the ping has none.
func (r *Runtime) pingHistogram(call goja.FunctionCall) goja.Value {
	ping := objectOf(call.This)
	if ping == nil {
		r.ThrowType("histogram is a method of the ping")
	}

	name := call.Argument(0).String()
	where := r.placeOf(call.Argument(1))
	object := storedHistogram(ping, name, where)
	if object == nil {
		if distribution := r.gleanDistribution(ping, name, where); distribution != nil {
			return distribution.view()
		}
		return goja.Undefined()
	}

	// Current pings have their histograms as they were sent, which need no definition.
	stored := lazyArrayOf(object)
	if stored == nil {
		if sparse := objectOf(object); sparse != nil {
			if histogram := r.sparseHistogram(name, sparse); histogram != nil {
				return histogram.view()
			}
		}
		return goja.Undefined()
	}

	// Its buckets are those of the ping's own revision.
	def, err := r.definition(r.revision(ping), name)
	if err != nil {
		r.Throw(err)
	}

	numbers := stored.numbers()
	if sums := len(numbers) - def.BucketCount; sums < minTailNumbers || sums > layout.TailNumbers {
		r.ThrowType("histogram %s has %d numbers, its definition %d buckets: they do not belong together", name, len(numbers), def.BucketCount)
	}

	return (&bound{r: r, def: def, numbers: numbers}).view()
}

// storedHistogram returns a histogram as it is stored, an array or an object, or nil.
func storedHistogram(ping *lazyObject, name string, where place) *goja.Object {
	// Unified pings have their histograms in the payload.
	if payload := objectOf(ping.Get("payload")); payload != nil && !ping.has("histograms") {
		ping = payload
	}

	var found goja.Value
	if where.process == parentProcess {
		found = where.member(ping, "histograms", "keyedHistograms", name)
	}
	if found == nil {
		found = where.member(objectOf(descend(ping, "processes", where.process)), "histograms", "keyedHistograms", name)
	}
	object, _ := found.(*goja.Object)
	return object
}

// histogramProperties are the properties of a histogram, in the order of
// enumeration.
var histogramProperties = []struct {
	name   string
	hidden bool // from enumeration
	get    func(*bound) goja.Value
}{
	{name: "name", get: func(b *bound) goja.Value { return b.r.rt.ToValue(b.def.Name) }},
	{name: "kind", get: func(b *bound) goja.Value { return b.r.rt.ToValue(b.def.Kind.String()) }},
	{name: "bounds", get: func(b *bound) goja.Value { return b.r.frozenBounds(b.def) }},
	{name: "counts", get: func(b *bound) goja.Value { return b.r.numberArray(b.numbers[:b.def.BucketCount]) }},
	{name: "numbers", hidden: true, get: func(b *bound) goja.Value { return b.r.numberArray(b.numbers) }},
	{name: "sum", get: (*bound).sum},
	{name: "samples", get: func(b *bound) goja.Value { return b.r.rt.ToValue(b.samples()) }},
}

// Get implements goja.DynamicObject.
func (b *bound) Get(name string) goja.Value {
	for i := range histogramProperties {
		if property := &histogramProperties[i]; property.name == name {
			return property.get(b)
		}
	}
	return nil
}

// Has implements goja.DynamicObject.
func (b *bound) Has(name string) bool { return b.Get(name) != nil }

// Set implements goja.DynamicObject: only add changes a histogram.
func (b *bound) Set(string, goja.Value) bool { return false }

// Delete implements goja.DynamicObject.
func (b *bound) Delete(string) bool { return false }

// Keys implements goja.DynamicObject.
func (b *bound) Keys() (names []string) {
	for i := range histogramProperties {
		if property := &histogramProperties[i]; !property.hidden {
			names = append(names, property.name)
		}
	}
	return names
}

// sum returns the sum of the samples, undefined if it was not sent.
func (b *bound) sum() goja.Value {
	sum := b.numbers[b.def.BucketCount]
	if sum < 0 {
		return goja.Undefined()
	}
	return b.r.rt.ToValue(sum)
}

// samples returns the number of samples.
func (b *bound) samples() (total float64) {
	for _, count := range b.numbers[:b.def.BucketCount] {
		total += count
	}
	return total
}

// percentile returns the p-th percentile (0 to 100); NaN without samples. It is linear
// within a bucket of the exponential and linear kinds. The buckets of other kinds are
// values, between which there is nothing.
func (b *bound) percentile(p float64) float64 {
	if !(p >= 0 && p <= 100) { // NaN is neither
		b.r.ThrowType("percentile: %v is not between 0 and 100", p)
	}

	interpolates := slices.Contains([]revisions.Kind{revisions.Exponential, revisions.Linear, revisions.Timing, revisions.Memory}, b.def.Kind)
	samples := b.samples()
	if samples == 0 {
		return math.NaN()
	}

	bounds := b.def.Bounds()
	left := samples * p / 100 // samples below the percentile
	for bucket, low := range bounds {
		count := b.numbers[bucket]
		if count > 0 && left <= count {
			if !interpolates {
				return float64(low)
			}

			// The last bucket has no upper bound.
			high := low
			if bucket+1 < len(bounds) {
				high = bounds[bucket+1]
			}
			return float64(low) + float64(high-low)*left/count
		}
		left -= count
	}

	return float64(bounds[len(bounds)-1])
}

// addNumber adds a bucket's count, or a sum: one that was not sent, -1, adds
// nothing and gives way to one that was.
func addNumber(total, f float64, isCount bool) float64 {
	switch {
	case isCount || f >= 0 && total >= 0:
		return total + f
	case f >= 0:
		return f
	}
	return total
}

// boundOf returns the histogram behind v, or throws.
func (r *Runtime) boundOf(v goja.Value) *bound {
	if o, ok := v.(*goja.Object); ok && o.ExportType() == boundType {
		return o.Export().(*bound)
	}
	r.ThrowType("not a histogram of ping.histogram(name)")
	return nil
}

// histogramProto returns the prototype of histograms: their methods.
func (r *Runtime) histogramProto() *goja.Object {
	if r.boundProto != nil {
		return r.boundProto
	}

	proto := r.rt.NewObject()
	method := func(name string, f func(goja.FunctionCall) goja.Value) {
		proto.DefineDataProperty(name, r.rt.ToValue(f), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	}

	method("percentile", func(call goja.FunctionCall) goja.Value {
		return r.rt.ToValue(r.boundOf(call.This).percentile(call.Argument(0).ToFloat()))
	})

	method("add", func(call goja.FunctionCall) goja.Value {
		r.boundOf(call.This).add(r.boundOf(call.Argument(0)))
		return call.This
	})

	r.boundProto = proto
	return proto
}

// numberArray returns a JavaScript array of these numbers.
func (r *Runtime) numberArray(numbers []float64) goja.Value {
	items := make([]any, len(numbers))
	for i, f := range numbers {
		items[i] = f
	}
	return r.rt.NewArray(items...)
}
