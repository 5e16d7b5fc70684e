package value

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// errNoDefinitions is what ping.histogram throws in a job without definitions.
var errNoDefinitions = errors.New("ping.histogram needs histogram definitions: give tmrun --revision-cache, or --revision-server")

// bound is a histogram of a ping, bound to its definition: ping.histogram(name).
type bound struct {
	r   *Runtime
	def *revisions.Definition
	// numbers are the bucket counts, then the sums that were stored.
	numbers []float64
}

var boundType = reflect.TypeFor[*bound]()

// pingHistogram is ping.histogram(name): undefined where the ping has none.
func (r *Runtime) pingHistogram(call goja.FunctionCall) goja.Value {
	ping := objectOf(call.This)
	if ping == nil {
		r.ThrowType("histogram is a method of the ping")
	}
	name := call.Argument(0).String()
	stored := r.histogramArray(ping, name)
	if stored == nil {
		return goja.Undefined()
	}
	def, err := r.definition(r.revision(ping), name)
	if err != nil {
		r.Throw(err)
	}
	numbers := stored.numbers()
	if n := len(numbers) - def.BucketCount; n < 3 || n > layout.TailNumbers {
		r.ThrowType("histogram %s has %d numbers, its definition %d buckets: they do not belong together", name, len(numbers), def.BucketCount)
	}
	o := r.rt.NewDynamicObject(&bound{r: r, def: def, numbers: numbers})
	o.SetPrototype(r.histogramProto())
	return o
}

// histogramArray returns the stored numbers of a histogram, or nil.
func (r *Runtime) histogramArray(ping *lazyObject, name string) *lazyArray {
	if payload, ok := ping.Get("payload").(*goja.Object); ok && ping.find("histograms") == nil { // unified pings
		if o := objectOf(payload); o != nil {
			ping = o
		}
	}
	list, ok := ping.Get("histograms").(*goja.Object)
	if !ok {
		return nil
	}
	o, ok := list.Get(name).(*goja.Object)
	if !ok {
		return nil
	}
	return lazyArrayOf(o)
}

// numbers returns the elements of an array of numbers, or throws.
func (a *lazyArray) numbers() []float64 {
	a.alive()
	var out []float64
	it := jsonscan.ElementsTrusted(a.text, a.start)
	for it.Next() {
		f, ok := number(it.Value())
		if !ok {
			a.r.Throw(errBadJSON(it.Value()))
		}
		out = append(out, f)
	}
	if it.Err() != nil {
		a.r.Throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
	}
	return out
}

// layoutKey is what a layout is remembered by.
type layoutKey struct{ url, name string }

// maxLayouts bounds what is remembered of layouts: far more than a task's pings have.
const maxLayouts = 10_000

// pingLayout is ping.layout(name): kind, lowest and highest bound, such as
// "exponential 1 to 10000"; "unknown" where no definition is at hand. It throws when
// the server of definitions does not answer.
func (r *Runtime) pingLayout(call goja.FunctionCall) goja.Value {
	ping := objectOf(call.This)
	if ping == nil {
		r.ThrowType("layout is a method of the ping")
	}
	key := layoutKey{r.revision(ping), call.Argument(0).String()}
	v := r.layouts[key]
	if v == nil {
		def, err := r.definition(key.url, key.name)
		switch {
		case err == nil:
			bounds := def.Bounds()
			v = r.rt.ToValue(fmt.Sprintf("%s %d to %d", def.Kind, bounds[1], bounds[len(bounds)-1]))
		case errors.Is(err, revisions.ErrUnavailable) && !errors.Is(err, revisions.ErrOffline):
			r.Throw(err)
		default:
			v = r.rt.ToValue("unknown")
		}
		if r.layouts == nil || len(r.layouts) == maxLayouts {
			r.layouts = map[layoutKey]goja.Value{}
		}
		r.layouts[key] = v
	}
	return v
}

// revision returns the URL of the ping's revision, "" if it has none.
func (r *Runtime) revision(ping *lazyObject) string {
	if info, ok := ping.Get("info").(*goja.Object); ok {
		if v := info.Get("revision"); v != nil {
			return v.String()
		}
	}
	return ""
}

// definition finds a histogram in the definitions of a revision.
func (r *Runtime) definition(url, name string) (*revisions.Definition, error) {
	spec := r.specs[url]
	if spec == nil {
		var err error
		if spec, err = r.spec(url); err != nil {
			return nil, err
		}
		if r.specs == nil {
			r.specs = map[string]*revisions.Spec{}
		}
		r.specs[url] = spec
	}
	def := spec.Lookup([]byte(name))
	if def == nil {
		return nil, fmt.Errorf("revision %s does not define histogram %s", url, name)
	}
	if err := def.Err; err != nil {
		return nil, fmt.Errorf("definition of histogram %s in revision %s: %w", name, url, err)
	}
	return def, nil
}

// spec finds the definitions of a revision. What could not be had is marked as
// ErrEngine.
func (r *Runtime) spec(url string) (*revisions.Spec, error) {
	if r.definitions == nil {
		return nil, errNoDefinitions
	}
	ref, err := revisions.ParseURL(url)
	if err != nil {
		return nil, err
	}
	spec, err := r.definitions(ref)
	if err != nil {
		r.missed = true
		return nil, fmt.Errorf("%w: definitions of revision %s: %w", ErrEngine, url, err)
	}
	return spec, nil
}

// Missed says whether definitions could not be had: what the script made of that may
// be another thing tomorrow.
func (r *Runtime) Missed() bool { return r.missed }

// Get implements goja.DynamicObject.
func (b *bound) Get(name string) goja.Value {
	for i := range histogramProperties {
		if p := &histogramProperties[i]; p.name == name {
			return p.get(b)
		}
	}
	return nil
}

func (b *bound) samples() (n float64) {
	for _, c := range b.numbers[:b.def.BucketCount] {
		n += c
	}
	return n
}

// percentile is linear within the bucket.
func (b *bound) percentile(p float64) float64 {
	n := b.samples()
	if n == 0 {
		return math.NaN()
	}
	bounds := b.def.Bounds()
	left := n * p / 100
	for i, low := range bounds {
		c := b.numbers[i]
		if c > 0 && left <= c {
			high := low
			if i+1 < len(bounds) {
				high = bounds[i+1]
			}
			return float64(low) + float64(high-low)*left/c
		}
		left -= c
	}
	return float64(bounds[len(bounds)-1])
}

// add adds another histogram of the same layout.
func (b *bound) add(o *bound) {
	d, e := b.def, o.def
	if d != e && (d.Kind != e.Kind || d.Low != e.Low || d.High != e.High || d.BucketCount != e.BucketCount) || len(b.numbers) != len(o.numbers) {
		b.r.ThrowType("%s (%s, %d to %d in %d buckets) and %s (%s, %d to %d in %d buckets) do not add up",
			d.Name, d.Kind, d.Low, d.High, d.BucketCount, e.Name, e.Kind, e.Low, e.High, e.BucketCount)
	}
	for i, f := range o.numbers {
		switch {
		case i < d.BucketCount || f >= 0 && b.numbers[i] >= 0:
			b.numbers[i] += f
		case f >= 0:
			b.numbers[i] = f
		}
	}
}

// appendTo appends the stored form, an array.
func (b *bound) appendTo(buf []byte) []byte {
	buf = datum.AppendKind(buf, datum.Array)
	for _, f := range b.numbers {
		buf = datum.AppendNumber(buf, f)
	}
	return datum.AppendKind(buf, datum.End)
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
	{name: "bounds", get: func(b *bound) goja.Value { return b.r.boundsOf(b.def) }},
	{name: "counts", get: func(b *bound) goja.Value { return b.r.numberArray(b.numbers[:b.def.BucketCount]) }},
	{name: "numbers", hidden: true, get: func(b *bound) goja.Value { return b.r.numberArray(b.numbers) }},
	{name: "sum", get: (*bound).sum},
	{name: "samples", get: func(b *bound) goja.Value { return b.r.rt.ToValue(b.samples()) }},
}

// sum returns the sum of the samples, undefined if it was not sent.
func (b *bound) sum() goja.Value {
	sum := b.numbers[b.def.BucketCount]
	if sum < 0 {
		return goja.Undefined()
	}
	return b.r.rt.ToValue(sum)
}

// Has implements goja.DynamicObject.
func (b *bound) Has(name string) bool { return b.Get(name) != nil }

// Set implements goja.DynamicObject: a histogram is changed by add only.
func (b *bound) Set(string, goja.Value) bool { return false }

// Delete implements goja.DynamicObject.
func (b *bound) Delete(string) bool { return false }

// Keys implements goja.DynamicObject.
func (b *bound) Keys() (names []string) {
	for i := range histogramProperties {
		if p := &histogramProperties[i]; !p.hidden {
			names = append(names, p.name)
		}
	}
	return names
}

// boundOf returns the histogram behind v, or throws.
func (r *Runtime) boundOf(v goja.Value) *bound {
	if o, ok := v.(*goja.Object); ok && o.ExportType() == boundType {
		return o.Export().(*bound)
	}
	r.ThrowType("not a histogram of ping.histogram(name)")
	return nil
}

// boundProto returns the prototype of histograms.
func (r *Runtime) histogramProto() *goja.Object {
	if r.boundProto != nil {
		return r.boundProto
	}
	p := r.rt.NewObject()
	hide := func(name string, f func(goja.FunctionCall) goja.Value) {
		p.DefineDataProperty(name, r.rt.ToValue(f), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	}
	hide("percentile", func(call goja.FunctionCall) goja.Value {
		return r.rt.ToValue(r.boundOf(call.This).percentile(call.Argument(0).ToFloat()))
	})
	hide("add", func(call goja.FunctionCall) goja.Value {
		r.boundOf(call.This).add(r.boundOf(call.Argument(0)))
		return call.This
	})
	r.boundProto = p
	return p
}

// boundsOf returns a definition's bounds as a frozen array, made once per runtime.
func (r *Runtime) boundsOf(d *revisions.Definition) goja.Value {
	if v, ok := r.bounds[d]; ok {
		return v
	}
	items := make([]any, 0, d.BucketCount)
	for _, b := range d.Bounds() {
		items = append(items, b)
	}
	if r.bounds == nil {
		r.bounds = map[*revisions.Definition]goja.Value{}
	}
	v := r.freeze(r.rt.NewArray(items...))
	r.bounds[d] = v
	return v
}

func (r *Runtime) numberArray(list []float64) goja.Value {
	items := make([]any, len(list))
	for i, f := range list {
		items[i] = f
	}
	return r.rt.NewArray(items...)
}
