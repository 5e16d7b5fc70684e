package worker

import (
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Stats counts what became of the submissions of a raw log.
type Stats struct {
	Submissions int64
	Records     int64 // converted and published
	RawBytes    int64 // of the bodies of the records, unpacked
	BytesLost   int64 // of the raw log, passed over as damage
	// Kept is where the raw log is, relative to the data folder, if some of it was lost.
	Kept []string
	// Waiting counts the submissions whose definitions are not available; they are in
	// a raw log of their own now.
	Waiting int64
	// Repeated counts the submissions that were received before, however packed, and
	// dropped; see layout.Data.DropRepeats.
	Repeated int64
	// Conflicts counts the records that have the document ID of another one, received
	// within the same days, that has another body. All of them are published.
	Conflicts int64
	// Forgotten counts the submissions of clients that asked to be forgotten. They are gone.
	Forgotten int64
	// Divided counts the submissions of a raw log that had ended the process; they are in
	// Parts now, and not converted yet.
	Divided int64
	// Filtered counts what the filter dropped, by reason.
	Filtered map[string]int64
	// Quarantined counts the quarantined submissions by class.
	Quarantined map[string]int64
	// Mismatched counts, by dimension, where URL and payload differed.
	Mismatched [schema.NumDims]int64
	// Dropped counts the histograms left out of records.
	Dropped histogram.DropCounts
	// OverLimit counts values that became OTHER because there were too many new ones, by
	// kind and value: the most frequent ones, and under "" the rest; see package limit.
	OverLimit map[string]map[string]int64
	// Published are the segments, ordered by path.
	Published []layout.Published
	// Parts are the names in raw/ of the parts that the raw log was divided into.
	Parts []string
}

// newStats returns Stats to which can be added.
func newStats() Stats {
	return Stats{
		Filtered:    map[string]int64{},
		Quarantined: map[string]int64{},
		Dropped:     histogram.DropCounts{},
		OverLimit:   map[string]map[string]int64{},
	}
}

// AllQuarantined returns how many submissions were quarantined.
func (s *Stats) AllQuarantined() int64 { return sum(s.Quarantined) }

// AllFiltered returns how many submissions the filter dropped.
func (s *Stats) AllFiltered() int64 { return sum(s.Filtered) }

func sum(counts map[string]int64) (total int64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// Add adds the counts of t, not its segments and parts.
func (s *Stats) Add(t Stats) {
	if s.Quarantined == nil {
		*s = newStats()
	}

	// The counts of all submissions.
	s.Submissions += t.Submissions
	s.Records += t.Records
	s.RawBytes += t.RawBytes
	s.BytesLost += t.BytesLost
	s.Kept = append(s.Kept, t.Kept...)
	s.Waiting += t.Waiting
	s.Repeated += t.Repeated
	s.Conflicts += t.Conflicts
	s.Forgotten += t.Forgotten
	s.Divided += t.Divided

	// The counts by class, reason, histogram and dimension.
	addCounts(s.Quarantined, t.Quarantined)
	addCounts(s.Filtered, t.Filtered)
	addCounts(s.Dropped, t.Dropped)
	for kind, values := range t.OverLimit {
		if s.OverLimit[kind] == nil {
			s.OverLimit[kind] = map[string]int64{}
		}
		addCounts(s.OverLimit[kind], values)
	}
	for i, n := range t.Mismatched {
		s.Mismatched[i] += n
	}
}

// addCounts adds the counts of from to those of to.
func addCounts[K comparable](to, from map[K]int64) {
	for key, n := range from {
		to[key] += n
	}
}

// maxReasons bounds the reasons of the filter that one raw log tells apart. A filter
// may have the document ID in them.
const maxReasons = 100

// filtered counts a submission that the filter dropped.
func (s *Stats) filtered(reason string) {
	_, known := s.Filtered[reason]

	// The reasons that come late count together.
	if !known && len(s.Filtered) >= maxReasons {
		reason = schema.Other
	}
	s.Filtered[reason]++
}

// statistics returns what is stored of the conversion of source.
func (s *Stats) statistics(source string) statistics.RawLog {
	converted := statistics.RawLog{
		Source:      source,
		Submissions: s.Submissions,
		BytesLost:   s.BytesLost,
		Forgotten:   s.Forgotten,
		Filtered:    s.Filtered,
		OverLimit:   s.OverLimit,
		Mismatched:  map[string]int64{},
		Dropped:     map[string]map[string]int64{},
	}

	for i, n := range s.Mismatched {
		if n > 0 {
			converted.Mismatched[schema.DimNames[i]] = n
		}
	}

	// By reason first, since there are few: JSON then says each once.
	for drop, n := range s.Dropped {
		byName := converted.Dropped[drop.Reason]
		if byName == nil {
			byName = map[string]int64{}
			converted.Dropped[drop.Reason] = byName
		}
		byName[drop.Name] += n
	}
	return converted
}
