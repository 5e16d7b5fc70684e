package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// statsCmd reports what was converted and what was not.
type statsCmd struct {
	DataDir string `required:"" short:"d" placeholder:"DIR" help:"Data folder."`
	Worst   int    `default:"20" placeholder:"N" help:"How many histograms to report as the worst."`
	JSON    bool   `help:"Print one JSON document."`
}

func (*statsCmd) Help() string {
	return `Prints how many records are stored and how many submissions are in quarantine, by
channel and day and, for those, by class; how often the dimensions of URL and
payload differed; what the ingest filter dropped, by reason; and the worst
histograms: those that were left out of records most often because no definition
has their name, or another layout, and those whose bad buckets sent whole pings
into quarantine.

EXIT STATUS: 0 done; 1 failed; 2 usage; 4 stored data is damaged.`
}

// statsReport is what the command prints; it is the JSON document too.
type statsReport struct {
	Records    []dayCount       `json:"records"`
	Invalid    []dayCount       `json:"invalid"`
	Mismatched map[string]int64 `json:"mismatched"`
	Filtered   map[string]int64 `json:"filtered,omitempty"` // by reason
	BytesLost  int64            `json:"bytes_lost"`
	Histograms []badHistogram   `json:"histograms"`
}

// dayCount counts what arrived for a channel on a day.
type dayCount struct {
	Class   string `json:"class,omitempty"`
	Channel string `json:"channel"`
	Day     string `json:"day"`
	Count   int64  `json:"count"`
}

// badHistogram counts why a histogram was refused.
type badHistogram struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

func (c *statsCmd) Run(ctx context.Context, st *cli.State) error {
	if c.Worst < 0 {
		return cli.Usage("--worst %d: want at least 0", c.Worst)
	}
	r, err := c.report(ctx)
	if _, ok := errors.AsType[*layout.CorruptError](err); ok {
		err = cli.Fail(cli.ExitCorrupt, err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(st.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	tw := tabwriter.NewWriter(st.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WHAT\tCHANNEL\tDAY\tCOUNT")
	for _, n := range r.Records {
		fmt.Fprintf(tw, "records\t%s\t%s\t%d\n", n.Channel, n.Day, n.Count)
	}
	for _, n := range r.Invalid {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\n", n.Class, n.Channel, n.Day, n.Count)
	}
	for _, dim := range slices.Sorted(maps.Keys(r.Mismatched)) {
		fmt.Fprintf(tw, "mismatched %s\t\t\t%d\n", dim, r.Mismatched[dim])
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Filtered)) {
		fmt.Fprintf(tw, "filtered %s\t\t\t%d\n", reason, r.Filtered[reason])
	}
	if r.BytesLost > 0 {
		fmt.Fprintf(tw, "bytes lost to damage\t\t\t%d\n", r.BytesLost)
	}
	if len(r.Histograms) > 0 {
		fmt.Fprintln(tw, "\nHISTOGRAM\tREASON\t\tCOUNT")
	}
	for _, h := range r.Histograms {
		fmt.Fprintf(tw, "%s\t%s\t\t%d\n", h.Name, h.Reason, h.Count)
	}
	return tw.Flush()
}

func (c *statsCmd) report(ctx context.Context) (*statsReport, error) {
	tree, err := layout.OpenTree(c.DataDir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	f := schema.All()
	f.IncludeInvalid = true
	segs, err := tree.Segments(ctx, f)
	if err != nil {
		return nil, err
	}
	counts := map[dayCount]int64{} // by a dayCount without Count
	worst := map[badHistogram]int64{}
	for _, s := range segs {
		info, err := tree.Info(s)
		if err != nil {
			return nil, err
		}
		counts[dayCount{Class: s.Class, Channel: s.Dims[schema.Channel], Day: s.Dims[schema.SubmissionDate]}] += max(info.Records, 0)
		if s.Class != convert.ClassBadPayload {
			continue
		}
		for q, err := range quarantine.Read(tree, s) {
			if err != nil {
				return nil, err
			}
			if name := badHistogramIn(q.Message); name != "" {
				worst[badHistogram{Name: name, Reason: convert.ClassBadPayload}]++
			}
		}
	}
	r := &statsReport{Mismatched: map[string]int64{}, Filtered: map[string]int64{}}
	if err := r.addConversions(c.DataDir, worst); err != nil {
		return nil, err
	}
	for k, n := range counts {
		if k.Count = n; k.Class == "" {
			r.Records = append(r.Records, k)
		} else {
			r.Invalid = append(r.Invalid, k)
		}
	}
	for _, list := range [][]dayCount{r.Records, r.Invalid} {
		slices.SortFunc(list, func(a, b dayCount) int {
			return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Day, b.Day))
		})
	}
	for k, n := range worst {
		k.Count = n
		r.Histograms = append(r.Histograms, k)
	}
	slices.SortFunc(r.Histograms, func(a, b badHistogram) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Reason, b.Reason))
	})
	r.Histograms = r.Histograms[:min(c.Worst, len(r.Histograms))]
	return r, nil
}

// addConversions adds up the statistics of the conversions into a data folder.
func (r *statsReport) addConversions(dir string, worst map[badHistogram]int64) error {
	if layout.IsURL(dir) {
		return nil // an object store has segments only
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for doc, err := range statistics.All(root) {
		if err != nil {
			return err
		}
		r.BytesLost += doc.BytesLost
		for dim, n := range doc.Mismatched {
			r.Mismatched[dim] += n
		}
		for reason, n := range doc.Filtered {
			r.Filtered[reason] += n
		}
		for reason, names := range doc.Dropped {
			for name, n := range names {
				worst[badHistogram{Name: name, Reason: reason}] += n
			}
		}
	}
	return nil
}

// badHistogramIn returns the name of the histogram that a bad payload's message
// is about, such as "Found invalid bucket NAME.values[7]".
func badHistogramIn(message string) string {
	for word := range strings.FieldsSeq(message) {
		if name, _, ok := strings.Cut(word, ".values["); ok {
			return name
		}
		for _, sum := range []string{".sum", ".log_sum"} {
			if i := strings.Index(word, sum); i > 0 {
				return word[:i]
			}
		}
	}
	return ""
}
