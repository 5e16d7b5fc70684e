package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// histogramsCmd lists the histograms of records.
type histogramsCmd struct {
	lookFlags   `embed:""`
	sampleFlags `embed:""`
	Format      string `enum:"${formats}," default:"" placeholder:"F" help:"One of ${formats} (default: what the output file's ending says, else tsv)."`
}

// Help is the long help.
func (c *histogramsCmd) Help() string {
	return `Lists the histograms that records have, by name: kind, lower bounds of the second and
the last bucket, number of buckets, unit, how many of the records read have it, their
share, and the description. Kind and what follows come from the definitions of the
records' own revisions, as far as they are at hand; keyed histograms have "keyed "
before their kind.

EXIT STATUS: 0 done; 1 failed; 2 usage; 3 no records are selected; 4 a segment is
damaged; 5 the filter failed; 6 a limit was hit; 130 interrupted.`
}

// histogramCounts are what one task has seen.
type histogramCounts struct {
	records   int64
	pings     map[string]int64 // by histogram
	revisions map[string]int64 // by URL
}

func newHistogramCounts() *histogramCounts {
	return &histogramCounts{pings: map[string]int64{}, revisions: map[string]int64{}}
}

// merge adds what another task has seen.
func (c *histogramCounts) merge(other *histogramCounts) {
	c.records += other.records
	addCounts(c.pings, other.pings)
	addCounts(c.revisions, other.revisions)
}

// Run implements the command.
func (c *histogramsCmd) Run(ctx context.Context, st *cli.State) error {
	if err := c.validate(); err != nil {
		return err
	}

	s, err := c.open(ctx, st)
	if err != nil {
		return err
	}
	defer s.close()

	tasks, each := s.sampleTasks(c.most())
	total := newHistogramCounts()
	err = look(ctx, s, tasks, each, newHistogramCounts, (*histogramCounts).add, total.merge)
	if err != nil {
		return explainError(st, err, c.DataDir)
	}
	return c.write(st, total, newCatalog(ctx, s.definitions, total.revisions))
}

// most returns how many records are read, 0 for all.
func (f *sampleFlags) most() int {
	if f.All {
		return 0
	}
	return f.Records
}

// addCounts adds the counts of from to those of to.
func addCounts(to, from map[string]int64) {
	for name, n := range from {
		to[name] += n
	}
}

// histogramMembers are the members of a ping that have histograms by name.
var histogramMembers = []string{"histograms", "keyedHistograms"}

// add counts a record.
func (c *histogramCounts) add(record seenRecord) error {
	c.records++
	c.revisions[revisionOf(record.json)]++

	members := jsonscan.Members(record.json, 0)
	for members.Next() {
		if !slices.Contains(histogramMembers, string(members.Key)) || record.json[members.Start] != '{' {
			continue
		}

		histograms := jsonscan.Members(record.json, members.Start)
		for histograms.Next() {
			c.pings[string(histograms.Name())]++
		}
	}
	return nil
}

// write writes the list.
func (c *histogramsCmd) write(st *cli.State, total *histogramCounts, known catalog) error {
	out, err := newTable(st, c.Output, c.Format, "histogram", "kind", "low", "high", "buckets", "unit", "pings", "share", "description")
	if err != nil {
		return err
	}

	for _, name := range slices.Sorted(maps.Keys(total.pings)) {
		// STARTUP_X without a definition of its own has that of X.
		entry, ok := known[name]
		if !ok {
			entry = known[strings.TrimPrefix(name, "STARTUP_")]
		}

		kind, low, high, buckets := entry.shape()
		pings := total.pings[name]
		err = out.add(name, kind, low, high, buckets, orNull(entry.unit), pings, share(pings, total.records), orNull(entry.description))
		if err != nil {
			break
		}
	}
	return out.close(err)
}

// shape returns the kind and the numbers of a histogram, nil each where they are not known.
func (e *catalogEntry) shape() (kind, low, high, buckets any) {
	if e.definition == nil {
		return nil, nil, nil, nil
	}

	name := e.definition.Kind.String()
	if e.definition.Keyed {
		name = "keyed " + name
	}
	return name, int64(e.definition.Low), int64(e.definition.High), int64(e.definition.BucketCount)
}

// orNull returns nil for "".
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
