package histogram

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// bucketing is what a histogram of a ping says about its own kind and bounds.
type bucketing struct{ kind, low, high, buckets int64 }

// The values of a bucketing that are no number.
const (
	unsaid   = -1 // the histogram does not say it
	nonsense = -2 // what it says is no natural number
)

// careful writes the histogram at text[start], whatever JSON it is, as
// [buckets…, sums…] and returns the offset behind it. Without a known bucket count it
// writes only the sums. reason says that it must be dropped; then it has written
// garbage.
func (rw *Rewriter) careful(text []byte, start int, name []byte, definition *revisions.Definition) (end int, reason string, err error) {
	if text[start] != '{' {
		return start, "", &Error{Fault: NotObject, Histogram: string(name)}
	}

	// Write the buckets at once, and note the rest. What is wrong with the buckets
	// only matters if the histogram has the defined bucketing, which may follow.
	rw.out = append(rw.out, '[')
	mark := len(rw.out)
	hasValues := false

	var bucketsErr error
	said := bucketing{unsaid, unsaid, unsaid, unsaid}
	clear(rw.tail[:])

	it := jsonscan.Members(text, start)
	for it.Next() {
		switch string(it.Key) {
		case "values":
			hasValues = true
			rw.out = rw.out[:mark]
			if definition.Err != nil {
				continue // there are no bounds to sort them by
			}
			end, bucketsErr = rw.buckets(text, it.Start, name, definition.Bounds())
			if bucketsErr == nil {
				it.SetEnd(end)
			}

		case "range":
			said.low, said.high = integers(it.Value())
		case "bucket_count":
			said.buckets = integer(it.Value())
		case "histogram_type":
			said.kind = integer(it.Value())

		case "sum":
			rw.tail[0] = it.Value()
		case "log_sum":
			rw.tail[1] = it.Value()
		case "log_sum_squares":
			rw.tail[2] = it.Value()
		case "sum_squares_lo":
			rw.tail[3] = it.Value()
		case "sum_squares_hi":
			rw.tail[4] = it.Value()
		}
	}

	// Decide in this order, which the classes of rejections depend on.
	switch {
	case it.Err() != nil:
		return start, "", it.Err()
	case !hasValues:
		return start, "", &Error{Fault: NoValues, Histogram: string(name)}
	case definition.Err != nil && !definition.Unsized:
		return start, "", &Error{Fault: BadDefinition, Histogram: string(name), Definition: definition.Err}
	}

	if reason := said.mismatch(definition); reason != "" {
		return it.After(), reason, nil
	}

	if bucketsErr != nil {
		return start, "", bucketsErr
	}
	if err := rw.sums(name); err != nil {
		return start, "", err
	}
	return it.After(), "", nil
}

// mismatch returns the reason to drop a histogram that says this about its
// bucketing; "" if it agrees with the definition.
func (said *bucketing) mismatch(definition *revisions.Definition) (reason string) {
	switch {
	case definition.Guessed || definition.Unsized:
		return "" // the definition itself is not certain
	case said.kind != unsaid && said.kind != int64(definition.Kind.TypeCode()):
		return DropType
	case said.low != unsaid && (max(said.low, 1) != int64(definition.Low) || said.high != int64(definition.High)):
		return DropRange
	case said.buckets != unsaid && said.buckets != int64(definition.BucketCount):
		return DropBucketCount
	}
	return ""
}

// sums writes the sums that were noted, and the closing bracket.
func (rw *Rewriter) sums(name []byte) error {
	for k, sum := range rw.tail {
		switch {
		case sum == nil || sum[0] == 'n':
			rw.out = append(rw.out, "-1,"...)
		case sum[0] != '-' && sum[0]-'0' > 9:
			return &Error{Fault: SumNotNumber, Histogram: string(name), Place: TailNames[k], Value: bytes.Clone(sum)}
		default:
			rw.out = append(append(rw.out, sum...), ',')
		}
	}
	rw.out[len(rw.out)-1] = ']'
	return nil
}

// integer returns the natural number that a JSON value spells, nonsense for
// everything else.
func integer(value []byte) int64 {
	if last := len(value) - 1; last >= 0 && value[last] <= ' ' {
		value = bytes.TrimRight(value, " \t")
	}
	if n, ok := jsonscan.Int(value); ok && n >= 0 {
		return n
	}
	return nonsense
}

// integers returns the two natural numbers of an array.
func integers(value []byte) (low, high int64) {
	if len(value) < 2 || value[0] != '[' {
		return nonsense, nonsense
	}

	// With more than two numbers the second text is no number, so they are rejected too.
	first, second, _ := bytes.Cut(value[1:len(value)-1], []byte{','})
	return integer(bytes.TrimSpace(first)), integer(bytes.TrimSpace(second))
}
