package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// invalidLsCmd lists the quarantine.
type invalidLsCmd struct {
	quarantineFlags `embed:""`
	Counts          bool `help:"Print how many there are by class, channel and day instead."`
}

func (*invalidLsCmd) Help() string {
	return `Prints a line for each submission: document ID, class, time of receipt, raw log and
offset, message, separated by tabs. Characters that a terminal would obey are
written as \n, \x1b and so on.

EXIT STATUS: 0 done; 1 failed; 2 usage; 4 a file of the quarantine is damaged; 130
interrupted.`
}

func (c *invalidLsCmd) Run(ctx context.Context, st *cli.State) error {
	if err := c.checkClass(); err != nil {
		return err
	}
	if c.Counts {
		return c.counts(ctx, st)
	}
	return c.each(ctx, func(submission layout.Rejected) (bool, error) {
		_, err := fmt.Fprintf(st.Stdout, "%s\t%s\t%s\t%s:%d\t%s\n", cli.Printable(submission.ID()), cli.Printable(submission.Class),
			submission.Time.UTC().Format(time.RFC3339), cli.Printable(submission.Origin), submission.Offset, cli.Printable(submission.Message))
		return true, err
	})
}

// counts prints how many submissions there are by class, channel and day. It reads
// the segments' record counts, not the submissions.
func (c *invalidLsCmd) counts(ctx context.Context, st *cli.State) error {
	tree, err := layout.OpenTree(c.DataDir)
	if err != nil {
		return cli.Named(err)
	}
	defer tree.Close()

	segments, err := quarantine.Segments(ctx, tree, c.Class)
	if err != nil {
		return err
	}

	counts := map[dayCount]int64{} // by a dayCount without Count
	for _, segment := range segments {
		info, err := tree.Info(segment)
		if err != nil {
			return cli.Fail(cli.ExitCorrupt, err)
		}

		counts[dayOf(segment)] += info.Records
	}

	table := tabwriter.NewWriter(st.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CLASS\tCHANNEL\tDAY\tSUBMISSIONS")
	for _, day := range slices.SortedFunc(maps.Keys(counts), dayCount.compare) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", day.Class, day.Channel, day.Day, counts[day])
	}
	return table.Flush()
}

// dayCount counts records, or the quarantined submissions of a class, of a channel
// and day.
type dayCount struct {
	Class   string `json:"class,omitempty"` // "" for records
	Channel string `json:"channel"`
	Day     string `json:"day"` // of receipt
	Count   int64  `json:"count"`
}

// dayOf returns the dayCount, without Count, that a segment belongs to.
func dayOf(s layout.Segment) dayCount {
	return dayCount{Class: s.Class, Channel: s.Dims[schema.Channel], Day: s.Dims[schema.SubmissionDate]}
}

// compare orders by class, channel and day.
func (d dayCount) compare(other dayCount) int {
	return cmp.Or(cmp.Compare(d.Class, other.Class), cmp.Compare(d.Channel, other.Channel), cmp.Compare(d.Day, other.Day))
}
