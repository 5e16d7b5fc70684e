package main

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"os"
	"slices"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// statsReport is what the stats command prints. Its JSON is public, hence the name
// Invalid for the quarantine.
type statsReport struct {
	Records    []dayCount       `json:"records"`
	Invalid    []dayCount       `json:"invalid"`
	Mismatched map[string]int64 `json:"mismatched"`         // by dimension
	Filtered   map[string]int64 `json:"filtered,omitempty"` // by reason
	Forgotten  int64            `json:"forgotten,omitempty"`
	BytesLost  int64            `json:"bytes_lost"`
	Histograms []worstHistogram `json:"histograms"` // the most frequent first
	// OverLimit are values that became OTHER, the most frequent first.
	OverLimit []overLimit `json:"over_limit,omitempty"`
}

// worstHistogram counts how often a histogram was left out of a record, or sent
// its ping to the quarantine, for one reason.
type worstHistogram struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// overLimit counts how often a new value became OTHER because there were too many; Value
// is "" for those that are not listed.
type overLimit struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// maxOverLimit bounds the values of each kind that are reported.
const maxOverLimit = 20

// readStats counts what a data folder holds; log hears of statistics that are damaged.
func readStats(ctx context.Context, dir string, log *slog.Logger) (*statsReport, error) {
	counts := &statsCounts{
		report:     &statsReport{Mismatched: map[string]int64{}, Filtered: map[string]int64{}},
		days:       map[dayCount]int64{},
		histograms: map[worstHistogram]int64{},
		overLimit:  map[overLimit]int64{},
	}
	if err := counts.addSegments(ctx, dir); err != nil {
		return nil, err
	}
	if err := counts.addConversions(dir, log); err != nil {
		return nil, err
	}
	return counts.sorted(), nil
}

// statsCounts is a statsReport in the making. The keys of its maps have no Count.
type statsCounts struct {
	report     *statsReport
	days       map[dayCount]int64
	histograms map[worstHistogram]int64
	overLimit  map[overLimit]int64
}

// addSegments counts what the segments hold.
func (c *statsCounts) addSegments(ctx context.Context, dir string) error {
	tree, err := layout.OpenTree(dir)
	if err != nil {
		return cli.Named(err)
	}
	defer tree.Close()

	// Quarantined submissions are counted, too, by their class.
	everything := schema.All()
	everything.IncludeQuarantined = true
	segments, err := tree.Segments(ctx, everything)
	if err != nil {
		return err
	}

	for _, segment := range segments {
		info, err := tree.Info(segment)
		if err != nil {
			return err
		}

		c.days[dayOf(segment)] += max(info.Records, 0) // -1 if an old file does not say

		// Only the submissions themselves say which histogram was bad.
		if segment.Class != convert.ClassBadPayload {
			continue
		}
		if err := c.addBadPayloads(tree, segment); err != nil {
			return err
		}
	}
	return nil
}

// addBadPayloads counts the histograms that sent their pings to the quarantine.
func (c *statsCounts) addBadPayloads(tree *layout.Tree, segment layout.Segment) error {
	for submission, err := range quarantine.Read(tree, segment) {
		if err != nil {
			return err
		}

		if name := convert.HistogramIn(submission.Message); name != "" {
			c.histograms[worstHistogram{Name: name, Reason: convert.ClassBadPayload}]++
		}
	}
	return nil
}

// addConversions adds the statistics of the conversions into a data folder.
func (c *statsCounts) addConversions(dir string, log *slog.Logger) error {
	if layout.IsURL(dir) {
		return nil // an object store has segments only
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()

	// The sums over all raw logs that were ever converted.
	for log, err := range statistics.All(root, log) {
		if err != nil {
			return err
		}

		c.report.BytesLost += log.BytesLost
		c.report.Forgotten += log.Forgotten
		for dimension, count := range log.Mismatched {
			c.report.Mismatched[dimension] += count
		}
		for reason, count := range log.Filtered {
			c.report.Filtered[reason] += count
		}
		for kind, values := range log.OverLimit {
			for value, count := range values {
				c.overLimit[overLimit{Kind: kind, Value: value}] += count
			}
		}
		for reason, names := range log.Dropped {
			for name, count := range names {
				c.histograms[worstHistogram{Name: name, Reason: reason}] += count
			}
		}
	}
	return nil
}

// sorted returns the report with its lists.
func (c *statsCounts) sorted() *statsReport {
	report := c.report

	// Records have no class; quarantined submissions have one.
	for day, count := range c.days {
		day.Count = count
		if day.Class == "" {
			report.Records = append(report.Records, day)
		} else {
			report.Invalid = append(report.Invalid, day)
		}
	}
	slices.SortFunc(report.Records, dayCount.compare)
	slices.SortFunc(report.Invalid, dayCount.compare)

	// The most frequent first, then by name, so that the output is always the same.
	for histogram, count := range c.histograms {
		histogram.Count = count
		report.Histograms = append(report.Histograms, histogram)
	}
	slices.SortFunc(report.Histograms, func(a, b worstHistogram) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Reason, b.Reason))
	})
	report.OverLimit = c.sortedOverLimit()
	return report
}

// sortedOverLimit returns the most frequent values of each kind, and one row for the rest
// of it.
func (c *statsCounts) sortedOverLimit() (listed []overLimit) {
	var all []overLimit
	rest := map[string]int64{} // by kind
	for value, count := range c.overLimit {
		value.Count = count
		if value.Value == "" {
			rest[value.Kind] += count
		} else {
			all = append(all, value)
		}
	}
	slices.SortFunc(all, func(a, b overLimit) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})

	shown := map[string]int{} // by kind
	for _, value := range all {
		shown[value.Kind]++
		if shown[value.Kind] <= maxOverLimit {
			listed = append(listed, value)
		} else {
			rest[value.Kind] += value.Count
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(rest)) {
		listed = append(listed, overLimit{Kind: kind, Count: rest[kind]})
	}
	return listed
}
