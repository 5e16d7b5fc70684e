package revisions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is what a histogram counts. The order is fixed.
type Kind uint8

// The kinds of Histograms.json.
const (
	Exponential Kind = iota
	Linear
	Boolean
	Flag
	Count
	Enumerated
	numKinds
)

var kindNames = [numKinds]string{"exponential", "linear", "boolean", "flag", "count", "enumerated"}

func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// TypeCode returns the histogram_type that browsers send: that of Kind, but
// enumerated histograms are linear ones to them.
func (k Kind) TypeCode() int {
	if k == Enumerated {
		return int(Linear)
	}
	return int(k)
}

// maxBuckets bounds what one definition can make us allocate; browsers stop at
// about a thousand.
const maxBuckets = 10_000

// Definition is one histogram's kind, range and bucket count. It is immutable
// and safe for concurrent use.
type Definition struct {
	Name string
	// Index counts the definitions of a Spec, from 0 on, in file order.
	Index int
	Kind  Kind
	// Low and High are the lower bounds of the second and the last bucket,
	// 1 <= Low < High.
	Low, High int
	// BucketCount is at least 3.
	BucketCount int
	// Keyed says that pings have it under keyedHistograms.
	Keyed bool
	// Guessed says that the size was a C++ constant whose value in this revision
	// may have been another; a ping whose histogram has another one is not wrong.
	Guessed bool
	// Unsized says that the bucket count is an expression with a name in it, which
	// only a C++ compiler could resolve; Err is set too.
	Unsized bool
	// Err says why the definition cannot be used; then Kind and the numbers mean
	// nothing and there are no bounds. It is nil for nearly all.
	Err error

	bounds  []int
	opening []byte
}

// NewDefinition returns the definition with these parameters; a low of 0 counts
// as 1, as browsers have it. The error says which parameter cannot be.
func NewDefinition(name string, kind Kind, low, high, bucketCount int) (*Definition, error) {
	d := &Definition{Name: name, Kind: kind, Low: max(low, 1), High: high, BucketCount: bucketCount}
	switch {
	case kind >= numKinds:
		return nil, fmt.Errorf("don't know how to handle a histogram of %v", kind)
	case low < 0:
		return nil, fmt.Errorf("low is %d, at least 0", low)
	case high <= d.Low:
		return nil, fmt.Errorf("high is %d, more than low (%d)", high, d.Low)
	case bucketCount < 3 || bucketCount > maxBuckets:
		return nil, fmt.Errorf("%d buckets, 3 to %d", bucketCount, maxBuckets)
	}
	d.opening = fmt.Appendf(nil, `{"range":[%d,%d],"bucket_count":%d,"histogram_type":%d,"values":`, d.Low, high, bucketCount, kind.TypeCode())
	if kind == Exponential {
		d.bounds = exponentialBounds(d.Low, high, bucketCount)
	} else {
		d.bounds = linearBounds(d.Low, high, bucketCount)
	}
	return d, nil
}

// Bounds returns the ascending lower bounds of the buckets; len is BucketCount.
// The caller must not change it.
func (d *Definition) Bounds() []int { return d.bounds }

// Opening returns how browsers begin a histogram of this definition in a ping, up
// to its buckets: a histogram that begins like this has the defined type, range
// and bucket count. It is nil with Err. The caller must not change it.
func (d *Definition) Opening() []byte { return d.opening }

// rawDefinition is one member of Histograms.json; attributes that do not touch
// the buckets are left out. Numbers may be strings with expressions.
type rawDefinition struct {
	Kind     string          `json:"kind"`
	Low      json.RawMessage `json:"low"`
	High     json.RawMessage `json:"high"`
	NBuckets json.RawMessage `json:"n_buckets"`
	NValues  json.RawMessage `json:"n_values"`
	Keyed    json.RawMessage `json:"keyed"` // true or "true"
}

// resolve works out kind, range and bucket count.
func (r *rawDefinition) resolve() (kind Kind, low, high, n int, err error) {
	kind = Kind(slices.Index(kindNames[:], r.Kind)) // -1 wraps to no kind
	number := func(attr string, raw json.RawMessage) (v int) {
		if err == nil {
			v, err = integer(attr, raw)
		}
		return v
	}
	switch kind {
	case Boolean, Flag, Count:
		low, high, n = 1, 2, 3
	case Enumerated:
		low, high = 1, number("n_values", r.NValues)
		n = high + 1
		if high == 1 { // one value: as the browsers, which need three buckets
			high, n = 2, 3
		}
	case Linear, Exponential:
		low = 1
		if r.Low != nil {
			low = number("low", r.Low)
		}
		high, n = number("high", r.High), number("n_buckets", r.NBuckets)
	default:
		err = fmt.Errorf("don't know how to handle a histogram of kind %q", r.Kind)
	}
	return kind, low, high, n, err
}

// integer reads a number of a definition: a JSON integer, or a string with an
// expression.
func integer(attr string, raw json.RawMessage) (int, error) {
	text := string(raw)
	if text == "" {
		return 0, fmt.Errorf("%s is missing", attr)
	}
	if text[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, fmt.Errorf("%s: %w", attr, err)
		}
	}
	v, err := evaluate(text)
	if err == nil && (v > 1<<31 || v < -1<<31) {
		err = errors.New("out of range")
	}
	if err != nil {
		return 0, fmt.Errorf("%s is not an integer: %w", attr, err)
	}
	return int(v), nil
}

// isText says whether a number is given by an expression that has no value.
func isText(raw json.RawMessage) bool {
	if len(raw) == 0 || raw[0] != '"' {
		return false
	}
	_, err := integer("", raw)
	return err != nil
}

// layout is what bounds and opening are functions of.
type layout struct {
	kind         Kind
	low, high, n int
}

// define reads one definition; those of equal layout share their bounds.
func define(name string, raw json.RawMessage, shared map[layout]*Definition) *Definition {
	bad := func(err error) *Definition {
		return &Definition{Name: name, Err: fmt.Errorf("definition of %s: %w", name, err)}
	}
	if strings.Contains(name, "#") {
		return bad(errors.New(`'#' is not permitted in a name`))
	}
	var r rawDefinition
	if err := json.Unmarshal(raw, &r); err != nil {
		return bad(err)
	}
	kind, low, high, n, err := r.resolve()
	if err != nil {
		d := bad(err)
		d.Unsized = isText(r.NBuckets) || kind == Enumerated && isText(r.NValues)
		return d
	}
	key := layout{kind, low, high, n}
	like := shared[key]
	if like == nil {
		if like, err = NewDefinition(name, kind, low, high, n); err != nil {
			return bad(err)
		}
		shared[key] = like
	}
	d := *like
	d.Name = name
	d.Guessed = guessed(&d)
	d.Keyed = bytes.Equal(r.Keyed, []byte("true")) || bytes.Equal(r.Keyed, []byte(`"true"`))
	return &d
}
