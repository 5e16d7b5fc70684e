package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// statsCmd reports what was converted and what was not.
type statsCmd struct {
	DataDir string `required:"" short:"d" placeholder:"DIR" help:"Data folder."`
	Worst   int    `default:"20" placeholder:"N" help:"How many histograms to report as the worst."`
	JSON    bool   `help:"Print one JSON document."`
}

func (*statsCmd) Help() string {
	return `Prints, by channel and day,

  how many records are stored
  how many submissions are in the quarantine, by class

and in all

  mismatched   how often a dimension differed between URL and payload
  forgotten    how many submissions were of clients that asked to be forgotten, and dropped
  filtered     how many submissions the ingest filter dropped, by reason
  bytes lost   how much of the raw logs was damaged
  over limit   new partitions, and other values that clients make up, that became
               OTHER because there were too many in a raw log or a day: the most
               frequent ones by kind, and the rest together
  histograms   the worst ones: left out of records because no definition has their
               name, or their definition differs (the reason is what differs); or
               with bad buckets, which sent the whole ping to the quarantine

EXIT STATUS: 0 done; 1 failed; 2 usage; 4 stored data is damaged; 130 interrupted.`
}

func (c *statsCmd) Run(ctx context.Context, st *cli.State) error {
	if c.Worst < 0 {
		return cli.Usage("--worst %d: want at least 0", c.Worst)
	}
	report, err := readStats(ctx, c.DataDir, st.Log)
	if err != nil {
		return withCorruptCode(err)
	}

	// The most frequent ones come first.
	report.Histograms = report.Histograms[:min(c.Worst, len(report.Histograms))]
	if c.JSON {
		encoder := json.NewEncoder(st.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	return report.print(st.Stdout)
}

// print writes the report as a table.
func (r *statsReport) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tCHANNEL\tDAY\tCOUNT")
	for _, day := range r.Records {
		fmt.Fprintf(table, "records\t%s\t%s\t%d\n", day.Channel, day.Day, day.Count)
	}
	for _, day := range r.Invalid {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", day.Class, day.Channel, day.Day, day.Count)
	}

	// The sums have neither channel nor day.
	for _, dimension := range slices.Sorted(maps.Keys(r.Mismatched)) {
		fmt.Fprintf(table, "mismatched %s\t\t\t%d\n", dimension, r.Mismatched[dimension])
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Filtered)) {
		fmt.Fprintf(table, "filtered %s\t\t\t%d\n", cli.Printable(reason), r.Filtered[reason])
	}
	if r.Forgotten > 0 {
		fmt.Fprintf(table, "forgotten\t\t\t%d\n", r.Forgotten)
	}
	if r.BytesLost > 0 {
		fmt.Fprintf(table, "bytes lost to damage\t\t\t%d\n", r.BytesLost)
	}

	for _, over := range r.OverLimit {
		value := cmp.Or(over.Value, "(others)")
		fmt.Fprintf(table, "over limit: %s %s\t\t\t%d\n", over.Kind, cli.Printable(value), over.Count)
	}

	// The histograms are a table of their own, below the counts.
	if len(r.Histograms) > 0 {
		fmt.Fprintln(table, "\nHISTOGRAM\tREASON\t\tCOUNT")
	}
	for _, histogram := range r.Histograms {
		fmt.Fprintf(table, "%s\t%s\t\t%d\n", cli.Printable(histogram.Name), histogram.Reason, histogram.Count)
	}
	return table.Flush()
}
