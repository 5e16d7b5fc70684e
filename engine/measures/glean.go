package measures

import (
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// gleanTypes are the types of Glean's metrics, and how each is read; those without a reader
// have nothing that can be added up.
var gleanTypes = map[string]gleanReader{
	"boolean":             (*pingReader).gleanScalar,
	"counter":             (*pingReader).gleanScalar,
	"quantity":            (*pingReader).gleanScalar,
	"string":              (*pingReader).gleanScalar,
	"timespan":            (*pingReader).timespan,
	"timing_distribution": (*pingReader).timing,
	"memory_distribution": (*pingReader).memory,
	"custom_distribution": (*pingReader).custom,
	"rate":                (*pingReader).rate,

	"labeled_boolean":             labeled("boolean", (*pingReader).gleanScalar),
	"labeled_counter":             labeled("counter", (*pingReader).gleanScalar),
	"labeled_string":              labeled("string", (*pingReader).gleanScalar),
	"labeled_quantity":            labeled("quantity", (*pingReader).gleanScalar),
	"labeled_timing_distribution": labeled("timing_distribution", (*pingReader).timing),
	"labeled_memory_distribution": labeled("memory_distribution", (*pingReader).memory),
	"labeled_custom_distribution": labeled("custom_distribution", (*pingReader).custom),
	"dual_labeled_counter":        nil,

	"datetime": nil, "uuid": nil, "url": nil, "text": nil, "object": nil, "string_list": nil, "jwe": nil,
}

// gleanReader reads a metric of a type; key is its label.
type gleanReader func(r *pingReader, name, kind, key string, text []byte)

// labeled reads an object of metrics of a type, by their labels.
func labeled(kind string, read gleanReader) gleanReader {
	return func(r *pingReader, name, _, _ string, text []byte) {
		r.keyed(text, func(label string, text []byte) { read(r, name, kind, label, text) })
	}
}

// glean reads the metrics of a Glean ping: by type, then by name.
func (r *pingReader) glean(metrics []byte) {
	r.keyed(metrics, func(kind string, text []byte) {
		if read := gleanTypes[kind]; read != nil {
			r.keyed(text, func(name string, text []byte) { read(r, name, kind, "", text) })
		}
	})
}

func (r *pingReader) gleanScalar(name, kind, key string, text []byte) {
	r.scalar(name, kind, "", key, text)
}

func (r *pingReader) timespan(name, kind, key string, text []byte) {
	if number := find(text, "value"); number != nil {
		r.scalar(name, kind, "", key, number)
	}
}

// rate reads a numerator and a denominator as two keys.
func (r *pingReader) rate(name, kind, _ string, text []byte) {
	r.keyed(text, func(part string, text []byte) { r.scalar(name, kind, "", part, text) })
}

func (r *pingReader) timing(name, kind, key string, text []byte) {
	r.distribution(name, kind, key, text, timingBuckets)
}

func (r *pingReader) memory(name, kind, key string, text []byte) {
	r.distribution(name, kind, key, text, memoryBuckets)
}

var (
	timingBuckets = revisions.NewGlean("", revisions.Timing)
	memoryBuckets = revisions.NewGlean("", revisions.Memory)
)

// distribution reads counts by the bounds of a formula.
func (r *pingReader) distribution(name, kind, key string, text []byte, def *revisions.Definition) {
	values := find(text, "values")
	if len(values) == 0 || values[0] != '{' {
		return
	}

	r.v = value{measure: name, kind: kind, key: key, bucketing: describe(def)}
	r.v.sum, r.v.hasSum = numberOf(find(text, "sum"))
	r.fill(def, values, def.GleanBucket)
	r.use(&r.v)
}

// custom reads counts by bounds that only the client knows all of: they are labels.
func (r *pingReader) custom(name, kind, key string, text []byte) {
	values := find(text, "values")
	if len(values) == 0 || values[0] != '{' {
		return
	}

	r.v = value{measure: name, kind: kind, key: key, bucketing: "custom"}
	r.v.sum, r.v.hasSum = numberOf(find(text, "sum"))

	r.counts = r.counts[:0]
	for it := jsonscan.MembersTrusted(values, 0); it.Next(); {
		count, ok := numberOf(it.Value())
		if ok && count >= 0 {
			r.v.labels = append(r.v.labels, clip(string(it.Name())))
			r.counts = append(r.counts, count)
		}
	}

	r.v.counts = r.counts
	r.use(&r.v)
}
