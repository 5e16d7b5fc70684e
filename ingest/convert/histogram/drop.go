package histogram

import (
	"errors"
	"strings"
)

// Drop is a histogram that was left out of its record, and why.
type Drop struct {
	Name   string
	Reason string // one of the Drop constants
}

// MarshalText implements encoding.TextMarshaler, so that counts by Drop are JSON. It has
// the reason first, which contains no slash.
func (d Drop) MarshalText() ([]byte, error) { return []byte(d.Reason + "/" + d.Name), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Drop) UnmarshalText(text []byte) error {
	reason, name, ok := strings.Cut(string(text), "/")
	if !ok {
		return errors.New("dropped histogram: want reason/name")
	}

	*d = Drop{Name: name, Reason: reason}
	return nil
}

// The reasons of Drop. They are in the statistics on disk and in metrics.
const (
	DropUnknown     = "unknown"      // no definition has its name
	DropType        = "type"         // its histogram_type is not the definition's
	DropRange       = "range"        // nor its range
	DropBucketCount = "bucket_count" // nor its bucket_count

	// Of histograms that say their own bucketing:
	DropNotObject = "not_object" // it is no JSON object
	DropNoValues  = "no_values"  // it has no values, or they are no object
	DropBucketing = "bucketing"  // it does not say its range, bucket count and kind, or not right
	DropBucket    = "bucket"     // a count is of no bucket
	DropCount     = "count"      // a count is no natural number
	DropSum       = "sum"        // a sum is neither a number nor null
)

// DropCounts counts dropped histograms.
type DropCounts map[Drop]int64

// maxDrops bounds how many drops a DropCounts distinguishes, because clients invent
// names; further ones count under the name "".
const maxDrops = 10_000

// Add counts one dropped histogram.
func (d DropCounts) Add(drop Drop) {
	if _, ok := d[drop]; !ok && len(d) >= maxDrops {
		drop.Name = ""
	}
	d[drop]++
}
