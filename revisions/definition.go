package revisions

import (
	"fmt"
	"slices"
)

// Kind is what a histogram counts. The order is that of the browsers' type codes.
type Kind uint8

// The kinds of Histograms.json.
const (
	Exponential Kind = iota
	Linear
	Boolean
	Flag
	Count
	Enumerated
	Categorical
	numKinds // of Histograms.json

	// Timing and Memory are the distributions of Glean whose bounds follow from a formula:
	// nanoseconds and bytes. No Histograms.json has them.
	Timing
	Memory
)

var kindNames = [numKinds]string{"exponential", "linear", "boolean", "flag", "count", "enumerated", "categorical"}

var gleanKindNames = map[Kind]string{Timing: "timing", Memory: "memory"}

func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	if name, ok := gleanKindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ParseKind returns the Kind of that name; ok is false if there is none.
func ParseKind(name string) (kind Kind, ok bool) {
	at := slices.Index(kindNames[:], name)
	return Kind(at), at >= 0
}

// TypeCode returns the histogram_type that browsers send. It is the number of the
// Kind, but to browsers an enumerated histogram is a linear one. The categorical ones, whose
// buckets have labels, came later.
func (k Kind) TypeCode() int {
	switch k {
	case Enumerated:
		return int(Linear)
	case Categorical:
		return categoricalCode
	}
	return int(k)
}

// categoricalCode is the histogram_type of categorical histograms.
const categoricalCode = 5

// KindOf returns the kind that browsers mean by a histogram_type. Enumerated ones say that
// they are linear.
func KindOf(typeCode int) (kind Kind, ok bool) {
	if typeCode == categoricalCode {
		return Categorical, true
	}
	return Kind(typeCode), typeCode >= 0 && typeCode <= int(Count)
}

// maxBuckets bounds the memory that one definition can make us allocate; browsers
// stop at about a thousand.
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
	// Labels are what the buckets of a categorical histogram count, in their order; the
	// buckets behind them are spare. Nil for other kinds.
	Labels []string
	// Keyed says that pings have it under keyedHistograms.
	Keyed bool
	// Guessed says that the size was a C++ constant whose value in this revision
	// may have been another one. A ping whose histogram has another size is not
	// wrong then.
	Guessed bool
	// Unsized says that the bucket count is an expression with a name in it, which
	// only a C++ compiler could resolve; Err is set too.
	Unsized bool
	// Err says why the definition cannot be used. It is nil for nearly all. If it is
	// set, Kind and the numbers mean nothing, and there are no bounds.
	Err error

	bounds  []int
	opening []byte
}

// NewDefinition returns the definition with these parameters. A low of 0 counts
// as 1, as in browsers. The error says which parameter is out of range.
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

	// Both are needed for every ping: compute them once.
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
// and bucket count. It is nil if Err is set. The caller must not change it.
func (d *Definition) Opening() []byte { return d.opening }
