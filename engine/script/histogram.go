package script

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Definitions finds the histogram definitions of a revision. It is safe for
// concurrent use.
type Definitions interface {
	Spec(ctx context.Context, ref revisions.Ref) (*revisions.Spec, error)
}

var _ Definitions = (*revisions.Cache)(nil)

// errNoDefinitions is what ping.histogram throws in a job without definitions.
var errNoDefinitions = errors.New("ping.histogram needs histogram definitions: give tmrun --revision-cache, or --revision-server")

// bound is a histogram of a ping, bound to its definition: ping.histogram(name).
type bound struct {
	h   *host
	def *revisions.Definition
	// numbers are the bucket counts, then the sums that were stored.
	numbers []float64
}

var boundType = reflect.TypeFor[*bound]()

// pingHistogram is ping.histogram(name): undefined where the ping has none.
func (h *host) pingHistogram(call goja.FunctionCall) goja.Value {
	ping := objectOf(call.This)
	if ping == nil {
		h.throwType("histogram is a method of the ping")
	}
	name := call.Argument(0).String()
	stored := h.histogramArray(ping, name)
	if stored == nil {
		return goja.Undefined()
	}
	def := h.definition(ping, name)
	numbers := stored.numbers()
	if n := len(numbers) - def.BucketCount; n < 3 || n > layout.TailNumbers {
		h.throwType("histogram %s has %d numbers, its definition %d buckets: they do not belong together", name, len(numbers), def.BucketCount)
	}
	o := h.rt.NewDynamicObject(&bound{h: h, def: def, numbers: numbers})
	o.SetPrototype(h.boundProto())
	return o
}

// histogramArray returns the stored numbers of a histogram, or nil.
func (h *host) histogramArray(ping *lazyObject, name string) *lazyArray {
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
			a.h.throw(errBadJSON(it.Value()))
		}
		out = append(out, f)
	}
	if it.Err() != nil {
		a.h.throw(fmt.Errorf("%w: %w", errJSON, it.Err()))
	}
	return out
}

// definition finds a histogram in the definitions of the ping's revision.
func (h *host) definition(ping *lazyObject, name string) *revisions.Definition {
	var url string
	if info, ok := ping.Get("info").(*goja.Object); ok {
		if v := info.Get("revision"); v != nil {
			url = v.String()
		}
	}
	spec := h.specs[url]
	if spec == nil {
		spec = h.spec(url)
		if h.specs == nil {
			h.specs = map[string]*revisions.Spec{}
		}
		h.specs[url] = spec
	}
	def := spec.Lookup([]byte(name))
	if def == nil {
		h.throw(fmt.Errorf("revision %s does not define histogram %s", url, name))
	}
	if err := def.Err; err != nil {
		h.throw(fmt.Errorf("definition of histogram %s in revision %s: %w", name, url, err))
	}
	return def
}

func (h *host) spec(url string) *revisions.Spec {
	if h.limits.Definitions == nil {
		h.throw(errNoDefinitions)
	}
	ref, err := revisions.ParseURL(url)
	if err != nil {
		h.throw(err)
	}
	spec, err := h.limits.Definitions.Spec(h.ctx, ref)
	if err != nil {
		h.throwEngine(fmt.Errorf("definitions of revision %s: %w", url, err))
	}
	return spec
}

// Get implements goja.DynamicObject.
func (b *bound) Get(name string) goja.Value {
	h := b.h
	switch name {
	case "name":
		return h.rt.ToValue(b.def.Name)
	case "kind":
		return h.rt.ToValue(b.def.Kind.String())
	case "bounds":
		return h.boundsOf(b.def)
	case "counts":
		return h.numberArray(b.numbers[:b.def.BucketCount])
	case "numbers":
		return h.numberArray(b.numbers)
	case "sum":
		if s := b.numbers[b.def.BucketCount]; s >= 0 {
			return h.rt.ToValue(s)
		}
		return goja.Undefined()
	case "samples":
		return h.rt.ToValue(b.samples())
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
		b.h.throwType("%s (%s, %d to %d in %d buckets) and %s (%s, %d to %d in %d buckets) do not add up",
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

// boundMembers are the properties, for enumeration.
var boundMembers = []string{"name", "kind", "bounds", "counts", "sum", "samples"}

// Has implements goja.DynamicObject.
func (b *bound) Has(name string) bool { return b.Get(name) != nil }

// Set implements goja.DynamicObject: a histogram is changed by add only.
func (b *bound) Set(string, goja.Value) bool { return false }

// Delete implements goja.DynamicObject.
func (b *bound) Delete(string) bool { return false }

// Keys implements goja.DynamicObject.
func (b *bound) Keys() []string { return boundMembers }

// boundOf returns the histogram behind v, or throws.
func (h *host) boundOf(v goja.Value) *bound {
	if o, ok := v.(*goja.Object); ok && o.ExportType() == boundType {
		return o.Export().(*bound)
	}
	h.throwType("not a histogram of ping.histogram(name)")
	return nil
}

// boundProto returns the prototype of histograms.
func (h *host) boundProto() *goja.Object {
	if h.protos.bound != nil {
		return h.protos.bound
	}
	p := h.rt.NewObject()
	hide := func(name string, f func(goja.FunctionCall) goja.Value) {
		p.DefineDataProperty(name, h.rt.ToValue(f), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	}
	hide("percentile", func(call goja.FunctionCall) goja.Value {
		return h.rt.ToValue(h.boundOf(call.This).percentile(call.Argument(0).ToFloat()))
	})
	hide("add", func(call goja.FunctionCall) goja.Value {
		h.boundOf(call.This).add(h.boundOf(call.Argument(0)))
		return call.This
	})
	h.protos.bound = p
	return p
}

// boundsOf returns a definition's bounds as a frozen array, made once per runtime.
func (h *host) boundsOf(d *revisions.Definition) goja.Value {
	if v, ok := h.bounds[d]; ok {
		return v
	}
	items := make([]any, 0, d.BucketCount)
	for _, b := range d.Bounds() {
		items = append(items, b)
	}
	if h.bounds == nil {
		h.bounds = map[*revisions.Definition]goja.Value{}
	}
	v := h.freeze(h.rt.NewArray(items...))
	h.bounds[d] = v
	return v
}

func (h *host) numberArray(list []float64) goja.Value {
	items := make([]any, len(list))
	for i, f := range list {
		items[i] = f
	}
	return h.rt.NewArray(items...)
}
