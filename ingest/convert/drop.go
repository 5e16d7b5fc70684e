package convert

// Drop is why a histogram was left out of its record.
type Drop struct {
	Name   string
	Reason string // one of the Drop constants
}

// The reasons of Drop.
const (
	DropUnknown     = "unknown"      // no definition has its name
	DropType        = "type"         // its histogram_type is not the definition's
	DropRange       = "range"        // nor its range
	DropBucketCount = "bucket_count" // nor its bucket_count
)

// DropCounts counts dropped histograms.
type DropCounts map[Drop]int64

// maxDrops bounds the names that a DropCounts tells apart, as clients make them
// up; further ones count under the name "".
const maxDrops = 10_000

func (d DropCounts) add(k Drop) {
	if _, ok := d[k]; !ok && len(d) >= maxDrops {
		k.Name = ""
	}
	d[k]++
}
