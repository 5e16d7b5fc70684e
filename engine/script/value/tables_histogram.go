package value

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/tables"
	"github.com/aitgithub/telemetry-server/revisions"
)

// pingSpec is the definitions of a ping's revision, nil if they are not at hand.
type pingSpec struct {
	gen  uint64
	spec *revisions.Spec
}

// unknownBucketing is that of numbers without a definition.
const unknownBucketing = "unknown"

// textOf describes a definition's bucketing.
func textOf(def *revisions.Definition) string {
	bounds := def.Bounds()
	return fmt.Sprintf("%s %d to %d", def.Kind, bounds[1], bounds[len(bounds)-1])
}

// boundsOf is the inverse of textOf, for tables: nil for an unknown bucketing.
func boundsOf(bucketing string, buckets int) []int {
	var name string
	var low, high int
	if n, _ := fmt.Sscanf(bucketing, "%s %d to %d", &name, &low, &high); n != 3 {
		return nil
	}

	// Glean's distributions have theirs by formula.
	if kind, ok := revisions.GleanKind(name); ok {
		return revisions.NewGlean(name, kind).Bounds()
	}
	kind, ok := revisions.ParseKind(name)
	if !ok {
		return nil
	}
	def, err := revisions.NewDefinition(name, kind, low, high, buckets)
	if err != nil {
		return nil
	}
	return def.Bounds()
}

// currentSpec returns the definitions of the current ping's revision. It throws when the
// server of definitions does not answer: what is unknown must not depend on the day.
func (r *Runtime) currentSpec() *revisions.Spec {
	if r.definitions == nil || r.ping == nil {
		return nil
	}
	if r.tables.spec.gen == r.gen {
		return r.tables.spec.spec
	}

	spec, err := r.spec(r.currentRevision())
	if errors.Is(err, revisions.ErrUnavailable) && !errors.Is(err, revisions.ErrOffline) {
		r.Throw(err)
	}
	r.tables.spec = pingSpec{r.gen, spec}
	return spec
}

// currentRevision returns the URL of the current ping's revision, "" if it has none. No
// script has read it, so it does not count as a field that one has read.
func (r *Runtime) currentRevision() string {
	info := objectOf(r.ping.member("info", nil))
	if info == nil {
		return ""
	}
	url := info.member("revision", nil)
	if url == nil {
		return ""
	}
	return url.String()
}

// addHistogram adds a JavaScript value as a histogram: a bound one with its bucketing, the
// numbers of a stored one without.
func (t *scriptTable) addHistogram(key []byte, added goja.Value) {
	if goja.IsUndefined(added) || goja.IsNull(added) {
		t.r.tables.task.Skip(t.number)
		return
	}

	object, ok := added.(*goja.Object)
	if ok && object.ExportType() == boundType {
		t.addBound(key, object.Export().(*bound))
		return
	}

	// As current pings send it.
	if sparse := objectOf(added); sparse != nil {
		if bound := t.r.sparseHistogram("", sparse); bound != nil {
			t.addBound(key, bound)
			return
		}
	}

	// Any array of numbers.
	encoded := t.r.EncodeValue(added)
	numbers, ok := t.r.numbersOf(encoded)
	if !ok {
		t.r.ThrowType("%s.add: %s is no histogram", t.name(), clip(datum.AppendMessage(nil, encoded)))
	}
	buckets := len(numbers) - tables.Tail
	behind := appendBucketing(nil, unknownBucketing, buckets, len(numbers))
	t.addNumbers(append(key, behind...), numbers, buckets, "a histogram")
}

// addBound adds a histogram with its bucketing.
func (t *scriptTable) addBound(key []byte, added *bound) {
	behind := appendBucketing(nil, textOf(added.def), added.def.BucketCount, len(added.numbers))
	t.addNumbers(append(key, behind...), added.numbers, added.def.BucketCount, added.def.Name)
}

// numbersOf returns the numbers of an array datum, valid until the next call.
func (r *Runtime) numbersOf(array []byte) (numbers []float64, ok bool) {
	if datum.Kind(array[0]) != datum.Array {
		return nil, false
	}
	numbers = r.tables.numbers[:0]
	for element := range datum.Elements(array) {
		if datum.Kind(element[0]) != datum.Number {
			return nil, false
		}
		numbers = append(numbers, datum.Float(element))
	}
	r.tables.numbers = numbers
	return numbers, true
}

// addNumbers adds a stored histogram.
func (t *scriptTable) addNumbers(key []byte, numbers []float64, buckets int, name string) {
	var err error
	t.value, err = tables.AppendHistogram(t.value[:0], numbers, buckets)
	if err != nil {
		t.r.ThrowType("%s: %s: %s", t.name(), name, err)
	}
	t.r.tables.task.Add(t.number, key, t.value)
}

// addHistogramText adds the histogram at text[at], a member of the ping. key is without its
// end. It returns the offset behind it, or 0.
func (t *scriptTable) addHistogramText(key, text []byte, at int, info, named *memberInfo) (end int) {
	// Nearly all are plain text, in which a comma stands between two numbers.
	end = bytes.IndexByte(text[at:], ']')
	if text[at] != '[' || end < 0 {
		t.addHistogramJSON(key, text, at, info, named)
		return 0
	}
	length := bytes.Count(text[at:at+end], comma) + 1
	t.r.bind(named, length)

	full := append(t.closeMember(key), named.behind...)
	task := t.r.tables.task
	place := memberGroup{t.round, named.spec, task.Group(t.number, full), named.buckets, length}
	if end := t.addDirect(text, at, &place); end > 0 {
		if named == info {
			*t.groupOf(info) = place
		}
		return end
	}

	t.addHistogramJSON(key, text, at, info, named)
	return 0
}

// addDirect adds the histogram at text[at] to the group where those of its name went
// before. It returns the offset behind it, or 0 if that is not known to be right, or the
// text is not plain.
func (t *scriptTable) addDirect(text []byte, at int, to *memberGroup) (end int) {
	if to.round != t.round || text[at] != '[' || to.spec != t.r.currentSpec() {
		return 0
	}
	end, ok := t.r.tables.task.AddHistogramText(to.group, text[at+1:], to.buckets, to.length)
	if !ok {
		return 0
	}
	return at + end + 2
}

var comma = []byte{','}

// addHistogramJSON is addHistogramText for JSON of any form: it skips null, and throws for
// what is no array of numbers.
func (t *scriptTable) addHistogramJSON(key, text []byte, at int, info, named *memberInfo) {
	// As current pings send it.
	if sparse := objectOf(t.r.lazy(text, at, t.r.gen)); sparse != nil {
		if bound := t.r.sparseHistogram(named.name, sparse); bound != nil {
			t.addBound(t.closeMember(key), bound)
			return
		}
	}

	encoded := t.r.appendJSON(nil, text, at, false)
	if datum.Kind(encoded[0]) == datum.Null {
		t.r.tables.task.Skip(t.number)
		return
	}
	numbers, ok := t.r.numbersOf(encoded)
	if !ok {
		t.r.ThrowType("%s.addEach: %s, %s, is no histogram", t.name(), info.name, clip(datum.AppendMessage(nil, encoded)))
	}

	t.r.bind(named, len(numbers))
	t.addNumbers(append(t.closeMember(key), named.behind...), numbers, named.buckets, info.name)
}

// bind finds the bucketing of the histogram of that name, with so many numbers, in the
// current ping's revision.
func (r *Runtime) bind(m *memberInfo, length int) {
	// It is nearly always the one of the ping before.
	spec := r.currentSpec()
	if m.behind != nil && m.spec == spec && m.length == length {
		return
	}

	m.spec = spec
	m.length = length
	m.buckets = length - tables.Tail
	text := unknownBucketing

	if spec != nil {
		def := spec.Lookup([]byte(m.name))
		if def != nil && def.Err == nil {
			if sums := length - def.BucketCount; sums >= minTailNumbers && sums <= tables.Tail {
				text = textOf(def)
				m.buckets = def.BucketCount
			}
		}
	}
	m.behind = appendBucketing(m.behind[:0], text, m.buckets, length)
}

// appendBucketing appends what follows the key columns in the key of a histogram.
func appendBucketing(b []byte, text string, buckets, length int) []byte {
	b = datum.AppendString(b, text)
	b = datum.AppendNumber(b, float64(buckets))
	return datum.AppendNumber(b, float64(length))
}
