package layout

import (
	"cmp"
	"path"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/columns"
)

// The order of the input does not depend on how records are stored: the records of a
// partition come one after the other, from the oldest raw log to the newest. Compaction
// keeps that order in either form, and the partitions come in the order of their paths.

// Order is where the records of a segment, or of a part of one in columns, stand in the
// order of the input.
type Order struct {
	partition string // how the paths of its segments in rows begin
	age       string
	segment   string // its path, which decides between two of one age
}

// Compare is negative if the records of o come before those of b.
func (o Order) Compare(b Order) int {
	return cmp.Or(
		strings.Compare(o.partition, b.partition),
		strings.Compare(o.age, b.age),
		strings.Compare(o.segment, b.segment),
	)
}

// Fields returns the order as text: that of two texts, by bytes, is Compare's, also if
// something follows behind a tab.
func (o Order) Fields() string { return o.partition + "\t" + o.age + "\t" + o.segment }

// OrderOf returns where the records of a part stand, or, with -1, those of a segment
// without parts.
func (s Segment) OrderOf(part int) Order {
	if part < 0 {
		age := s.Unique
		if s.Merged() {
			age = s.Age()
		}
		return Order{s.Group(), age, s.Path}
	}

	of := s.Parts[part]
	partition := path.Join(path.Dir(s.Path), partitionGroup(of.Dims, s.Version))
	return Order{partition, cmp.Or(of.Age, s.Age()), s.Path}
}

// newestReplaced returns the age of the newest segment in rows of each partition that one
// in columns was made from, by partitionGroup.
func newestReplaced(info *columns.Info) map[string]string {
	newest := make(map[string]string, len(info.Replaces))
	for _, name := range info.Replaces {
		at := strings.LastIndex(name, logMark+".")
		if at < 0 {
			continue // a segment in columns, which replaced others itself
		}

		group := name[:at+len(logMark)+1]
		unique, _, _ := strings.Cut(name[len(group):], ".")
		newest[group] = max(newest[group], strings.TrimPrefix(unique, MergedPrefix))
	}
	return newest
}
