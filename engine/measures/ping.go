package measures

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Definitions provides the definitions of a revision.
type Definitions interface {
	Spec(ctx context.Context, ref revisions.Ref) (*revisions.Spec, error)
}

// value is one measure of one ping.
type value struct {
	measure string
	kind    string // what it is: histogram, scalar, or a type of Glean metric
	process string
	key     string

	bucketing string    // such as "exponential 1 to 10000"
	bounds    []int     // lower bounds of the buckets; nil: labels
	counts    []float64 // by bucket; valid until use returns
	labels    []string  // instead of bounds
	sum       float64   // of the samples
	hasSum    bool
}

// identity is what a ping says of itself.
type identity struct {
	client   string
	os       string
	revision string
}

// pingReader finds the values of pings. It belongs to one goroutine.
type pingReader struct {
	definitions Definitions
	specs       map[string]*revisions.Spec // by URL; nil: not at hand
	bucketings  map[[4]int64]*revisions.Definition
	names       jsonscan.Interner
	use         func(*value)
	v           value
	counts      []float64
	who         identity
}

func newPingReader(definitions Definitions, use func(*value)) *pingReader {
	return &pingReader{
		definitions: definitions,
		specs:       map[string]*revisions.Spec{},
		bucketings:  map[[4]int64]*revisions.Definition{},
		names:       jsonscan.Interner{},
		use:         use,
	}
}

// find returns the text of a member of an object, or nil.
func find(text []byte, names ...string) []byte {
	for _, name := range names {
		if len(text) == 0 || text[0] != '{' {
			return nil
		}

		var found []byte
		for it := jsonscan.MembersTrusted(text, 0); it.Next(); {
			if jsonscan.Is(it.Key, name) {
				found = it.Value()
				break
			}
		}
		text = found
	}
	return text
}

// textOf returns the value of a string; "" for anything else.
func textOf(text []byte) string {
	if len(text) < 2 || text[0] != '"' {
		return ""
	}
	return string(jsonscan.Unquote(text[1 : len(text)-1]))
}

// identify returns what a valid ping says of itself, whatever its form.
func identify(ping []byte) (who identity) {
	for it := jsonscan.MembersTrusted(ping, 0); it.Next(); {
		switch string(it.Key) {
		case "clientId", "clientID":
			who.client = textOf(it.Value())
		// Glean.
		case "client_info":
			info := it.Value()
			who.client = textOf(find(info, "client_id"))
			who.os = textOf(find(info, "os"))
		// Firefox's unified pings.
		case "environment":
			who.os = textOf(find(it.Value(), "system", "os", "name"))
		// Classic pings.
		case "info":
			info := it.Value()
			who.os = textOf(find(info, "OS"))
			who.revision = textOf(find(info, "revision"))
		}
	}
	return who
}

// read calls use with each value of a ping, which is valid JSON.
func (r *pingReader) read(ctx context.Context, ping []byte, who identity) {
	r.who = who
	for it := jsonscan.MembersTrusted(ping, 0); it.Next(); {
		switch string(it.Key) {
		case "payload":
			r.payload(ctx, it.Value())
		case "metrics":
			r.glean(it.Value())
		default:
			r.parent(ctx, it.Key, it.Value())
		}
	}
}

// payload reads that of a unified ping.
func (r *pingReader) payload(ctx context.Context, payload []byte) {
	if payload[0] != '{' {
		return
	}

	for it := jsonscan.MembersTrusted(payload, 0); it.Next(); {
		if string(it.Key) == "processes" {
			r.keyed(it.Value(), func(process string, text []byte) { r.process(ctx, process, text) })
			continue
		}
		r.parent(ctx, it.Key, it.Value())
	}
}

// parent reads a member of a classic ping, or of a unified one's payload, if it has values
// of the parent process.
func (r *pingReader) parent(ctx context.Context, name, text []byte) {
	switch string(name) {
	case "histograms":
		r.histograms(ctx, text, "parent", "")
	case "keyedHistograms":
		r.keyed(text, func(name string, text []byte) { r.keyedHistograms(ctx, name, text, "parent") })
	case "simpleMeasurements":
		r.scalars(text, "parent", "simple.")
	}
}

func (r *pingReader) process(ctx context.Context, process string, text []byte) {
	r.keyed(text, func(group string, text []byte) {
		switch group {
		case "histograms":
			r.histograms(ctx, text, process, "")
		case "keyedHistograms":
			r.keyed(text, func(name string, text []byte) { r.keyedHistograms(ctx, name, text, process) })
		case "scalars":
			r.scalars(text, process, "")
		case "keyedScalars":
			r.keyed(text, func(name string, text []byte) {
				r.keyed(text, func(key string, text []byte) { r.scalar(name, "scalar", process, key, text) })
			})
		}
	})
}

// keyed calls do with each member of an object; with none if the text is no object.
func (r *pingReader) keyed(text []byte, do func(name string, text []byte)) {
	if len(text) == 0 || text[0] != '{' {
		return
	}
	for it := jsonscan.MembersTrusted(text, 0); it.Next(); {
		do(r.names.String(it.Name()), it.Value())
	}
}

func (r *pingReader) scalars(text []byte, process, prefix string) {
	r.keyed(text, func(name string, text []byte) { r.scalar(prefix+name, "scalar", process, "", text) })
}

// histograms reads those of a process, by their names.
func (r *pingReader) histograms(ctx context.Context, text []byte, process, key string) {
	r.keyed(text, func(name string, text []byte) { r.histogram(ctx, name, process, key, text) })
}

func (r *pingReader) keyedHistograms(ctx context.Context, name string, text []byte, process string) {
	r.keyed(text, func(key string, text []byte) { r.histogram(ctx, name, process, key, text) })
}

// histogram reads one that is stored dense, an array, or as it was sent, an object.
func (r *pingReader) histogram(ctx context.Context, name, process, key string, text []byte) {
	r.v = value{measure: name, kind: "histogram", process: process, key: key}

	ok := false
	switch text[0] {
	case '[':
		ok = r.dense(ctx, name, text)
	case '{':
		ok = r.sparse(text)
	}

	if ok {
		r.use(&r.v)
	}
}

// unknownBucketing is that of numbers without a definition.
const unknownBucketing = "unknown"

// minTail is how many sums follow the buckets in data from before 2014.
const minTail = 3

// dense reads buckets, then sums.
func (r *pingReader) dense(ctx context.Context, name string, text []byte) bool {
	r.counts = r.counts[:0]
	for it := jsonscan.ElementsTrusted(text, 0); it.Next(); {
		// Nearly all are integers, which are read faster as such.
		text := it.Value()
		if integer, ok := jsonscan.Int(text); ok {
			r.counts = append(r.counts, float64(integer))
			continue
		}

		number, ok := numberOf(text)
		if !ok {
			return false
		}
		r.counts = append(r.counts, number)
	}

	// There must be a bucket in front of the sums.
	length := len(r.counts)
	if length <= layout.TailNumbers {
		return false
	}

	// Without a definition the buckets are numbered.
	buckets := length - layout.TailNumbers
	r.v.bucketing = unknownBucketing
	if spec := r.spec(ctx, r.who.revision); spec != nil {
		def := spec.Lookup([]byte(name))
		if def != nil && def.Err == nil {
			// Old data has fewer sums, so that only the definition knows where the buckets end.
			if sums := length - def.BucketCount; sums >= minTail && sums <= layout.TailNumbers {
				buckets = def.BucketCount
				r.v.bucketing = describe(def)
				r.v.bounds = def.Bounds()
			}
		}
	}

	if r.v.bounds == nil {
		r.v.bounds = numbered(buckets)
	}

	r.v.counts = r.counts[:buckets]

	// A missing sum is stored as -1.
	r.v.sum = r.counts[buckets]
	r.v.hasSum = r.v.sum >= 0
	return true
}

// numbered returns 0 to buckets-1.
func numbered(buckets int) []int {
	bounds := make([]int, buckets)
	for i := range bounds {
		bounds[i] = i
	}
	return bounds
}

// describe describes a bucketing, as scripts see it.
func describe(def *revisions.Definition) string {
	bounds := def.Bounds()
	return fmt.Sprintf("%s %d to %d", def.Kind, bounds[1], bounds[len(bounds)-1])
}

// spec returns the definitions of a revision; nil if they are not at hand.
func (r *pingReader) spec(ctx context.Context, url string) *revisions.Spec {
	if spec, ok := r.specs[url]; ok {
		return spec
	}

	var spec *revisions.Spec
	if ref, err := revisions.ParseURL(url); err == nil && r.definitions != nil {
		spec, _ = r.definitions.Spec(ctx, ref) // without it the buckets are numbered
	}
	r.specs[url] = spec
	return spec
}

// sparse reads a histogram that says its own bucketing.
func (r *pingReader) sparse(text []byte) bool {
	// Members come in any order, so they are collected first.
	said := [4]int64{-1, -1, -1, -1} // kind, low, high, buckets
	var values []byte
	for it := jsonscan.MembersTrusted(text, 0); it.Next(); {
		switch string(it.Key) {
		case "histogram_type":
			said[0], _ = jsonscan.Int(it.Value())
		case "bucket_count":
			said[3], _ = jsonscan.Int(it.Value())
		case "range":
			at := 1
			if text := it.Value(); text[0] == '[' {
				for bound := jsonscan.ElementsTrusted(text, 0); bound.Next() && at < 3; at++ {
					said[at], _ = jsonscan.Int(bound.Value())
				}
			}
		case "values":
			values = it.Value()
		case "sum":
			r.v.sum, r.v.hasSum = numberOf(it.Value())
		}
	}

	def := r.bucketing(said)
	if def == nil || len(values) == 0 || values[0] != '{' {
		return false
	}

	r.v.bucketing = describe(def)

	// A bound that the bucketing does not have is left out.
	r.fill(def, values, func(bound int64) int {
		at, found := slices.BinarySearch(def.Bounds(), int(bound))
		if !found {
			return -1
		}
		return at
	})
	return true
}

// maxBucketings bounds the bucketings that are cached.
const maxBucketings = 1000

func (r *pingReader) bucketing(said [4]int64) *revisions.Definition {
	def, ok := r.bucketings[said]
	if ok {
		return def
	}

	// What is no bucketing is cached, too, so that it is not computed for every ping.
	if kind, ok := revisions.KindOf(int(said[0])); ok {
		def, _ = revisions.NewDefinition("", kind, int(said[1]), int(said[2]), int(said[3]))
	}

	if len(r.bucketings) >= maxBucketings {
		clear(r.bucketings)
	}

	r.bucketings[said] = def
	return def
}

// fill counts values, an object of counts by lower bounds.
func (r *pingReader) fill(def *revisions.Definition, values []byte, bucket func(bound int64) int) {
	bounds := def.Bounds()
	r.counts = append(r.counts[:0], make([]float64, len(bounds))...)

	for it := jsonscan.MembersTrusted(values, 0); it.Next(); {
		bound, isBound := jsonscan.Int(it.Key)
		count, isCount := numberOf(it.Value())
		if !isBound || !isCount || count < 0 {
			continue
		}

		if at := bucket(bound); at >= 0 {
			r.counts[at] += count
		}
	}

	r.v.bounds = bounds
	r.v.counts = r.counts
}

func numberOf(text []byte) (float64, bool) {
	if len(text) == 0 || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return 0, false
	}
	return jsonscan.Float(text)
}

// numbersOf are the buckets of single numbers.
var numbersOf = revisions.NewGlean("", revisions.Timing)

// scalar reads one number, truth value or text.
func (r *pingReader) scalar(name, kind, process, key string, text []byte) {
	r.v = value{measure: name, kind: kind, process: process, key: key}

	switch text[0] {
	case 't', 'f':
		// A truth value counts in one of two buckets.
		r.counts = append(r.counts[:0], 0, 0)
		if text[0] == 't' {
			r.counts[1] = 1
			r.v.sum = 1
		} else {
			r.counts[0] = 1
		}

		r.v.bucketing = "boolean 1 to 1"
		r.v.bounds = booleanBounds
		r.v.hasSum = true
	case '"':
		// A text is a label, and has no sum.
		r.counts = append(r.counts[:0], 1)
		r.v.bucketing = "labels"
		r.v.labels = []string{clip(textOf(text))}
	default:
		// Other numbers than these have no bucket, or no exact sum.
		number, ok := numberOf(text)
		if !ok || number < 0 || number >= 1<<53 {
			return
		}

		bounds := numbersOf.Bounds()
		r.counts = append(r.counts[:0], make([]float64, len(bounds))...)

		at, found := slices.BinarySearch(bounds, int(number))
		if !found {
			at--
		}

		r.counts[at] = 1
		r.v.bucketing = "number"
		r.v.bounds = bounds
		r.v.sum = number
		r.v.hasSum = true
	}

	r.v.counts = r.counts
	r.use(&r.v)
}

var booleanBounds = []int{0, 1}

// maxLabel bounds the bytes of a label, and of a key.
const maxLabel = 100

func clip(text string) string {
	if len(text) <= maxLabel {
		return text
	}
	return string(bytes.ToValidUTF8([]byte(text[:maxLabel]), nil)) + "…"
}
