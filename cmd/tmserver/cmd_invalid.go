package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// invalidCmd looks after the quarantine.
type invalidCmd struct {
	Ls     invalidLsCmd     `cmd:"" help:"List quarantined submissions."`
	Show   invalidShowCmd   `cmd:"" help:"Print one quarantined submission."`
	Replay invalidReplayCmd `cmd:"" help:"Convert quarantined submissions again."`
}

// invalidLsCmd lists what is in the quarantine.
type invalidLsCmd struct {
	DataDir string `required:"" short:"d" placeholder:"DIR" help:"Data folder."`
	Class   string `placeholder:"CLASS" help:"Only submissions of this class."`
	Counts  bool   `help:"Print how many there are by class, channel and day instead."`
}

func (*invalidLsCmd) Help() string {
	return `Prints a line for each: document ID, class, time of receipt, raw log and offset,
message, separated by tabs.

EXIT STATUS: 0 done; 1 failed; 2 usage; 4 a file of the quarantine is damaged.`
}

func (c *invalidLsCmd) Run(ctx context.Context, st *cli.State) error {
	if c.Counts {
		tree, err := layout.OpenTree(c.DataDir)
		if err != nil {
			return err
		}
		defer tree.Close()
		return printCounts(ctx, st.Stdout, tree, c.Class)
	}
	return eachInvalid(ctx, c.DataDir, c.Class, func(q layout.Invalid) (bool, error) {
		_, err := fmt.Fprintf(st.Stdout, "%s\t%s\t%s\t%s:%d\t%s\n", strings.Map(oneField, q.ID()), q.Class,
			q.Time.UTC().Format(time.RFC3339), q.Origin, q.Offset, strings.Map(oneField, q.Message))
		return true, err
	})
}

// eachInvalid calls f for the quarantined submissions of a class, or all, until
// it returns false or an error.
func eachInvalid(ctx context.Context, dir, class string, f func(layout.Invalid) (bool, error)) error {
	tree, err := layout.OpenTree(dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	segs, err := quarantine.Segments(ctx, tree, class)
	if err != nil {
		return err
	}
	for _, s := range segs {
		for q, err := range quarantine.Read(tree, s) {
			if err == nil {
				err = ctx.Err()
			}
			if _, ok := errors.AsType[*layout.CorruptError](err); ok {
				return cli.Fail(cli.ExitCorrupt, err)
			}
			if err != nil {
				return err
			}
			if more, err := f(q); !more || err != nil {
				return err
			}
		}
	}
	return nil
}

// invalidShowCmd prints a quarantined submission.
type invalidShowCmd struct {
	DataDir string `required:"" short:"d" placeholder:"DIR" help:"Data folder."`
	Class   string `placeholder:"CLASS" help:"Look among the submissions of this class only."`
	Body    bool   `help:"Print the body alone, byte for byte as it was received."`
	ID      string `arg:"" name:"id" help:"Document ID."`
}

func (*invalidShowCmd) Help() string {
	return `Prints class, message, time, origin and path, an empty line, and the body, unpacked
if it is gzip and can be. Of several submissions with the ID the first is printed.

EXIT STATUS: 0 done; 1 failed, or no such submission; 2 usage; 4 a file is damaged.`
}

func (c *invalidShowCmd) Run(ctx context.Context, st *cli.State) error {
	found := false
	err := eachInvalid(ctx, c.DataDir, c.Class, func(q layout.Invalid) (bool, error) {
		if q.ID() != c.ID {
			return true, nil
		}
		found = true
		body := q.Body
		if !c.Body {
			body = unpacked(body)
			_, err := fmt.Fprintf(st.Stdout, "class:   %s\nmessage: %s\ntime:    %s\norigin:  %s:%d\npath:    %s\n\n",
				q.Class, q.Message, q.Time.UTC().Format(time.RFC3339Nano), q.Origin, q.Offset, q.Path)
			if err != nil {
				return false, err
			}
			if !bytes.HasSuffix(body, []byte{'\n'}) {
				body = append(bytes.Clone(body), '\n')
			}
		}
		_, err := st.Stdout.Write(body)
		return false, err
	})
	if err == nil && !found {
		err = fmt.Errorf("no quarantined submission with the ID %q", c.ID)
	}
	return err
}

// unpacked returns a body as text, or as it is if it does not unpack.
func unpacked(body []byte) []byte {
	text, err := convert.Unpack(body, convert.DefaultOptions().MaxUnpacked)
	if err != nil {
		return body
	}
	return text
}

// invalidReplayCmd converts the quarantine again.
type invalidReplayCmd struct {
	DataDir string `required:"" short:"d" placeholder:"DIR" help:"Data folder."`
	Class   string `placeholder:"CLASS" help:"Only submissions of this class."`
	DryRun  bool   `help:"Only say what would become of them."`
	// PublishTo is here to be refused: who runs a server with it has it in the environment.
	PublishTo string `hidden:"" env:"TMSERVER_PUBLISH_TO" placeholder:"URL"`

	revisionFlags `embed:""`
	filterFlags   `embed:""`
}

func (*invalidReplayCmd) Help() string {
	return `What can be converted now is published and leaves the quarantine, the rest stays.
With the date of its receipt, as if it had been converted at once. It is published
in the data folder; --publish-to and TMSERVER_PUBLISH_TO are refused.

With --filters, the filter decides about all of it, as it is now. Without, what a
filter has refused stays, unless --class ingest_filter or ingest_filter_error asks
for it; then it is published.

EXIT STATUS: 0 done; 1 failed; 2 usage; 3 done, but some are still invalid;
4 a file of the quarantine is damaged; 5 the filter does not load;
130 interrupted.`
}

func (c *invalidReplayCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if c.PublishTo != "" {
		return cli.Usage("--publish-to %s (or TMSERVER_PUBLISH_TO): the quarantine is published in the data folder, and nowhere else", c.PublishTo)
	}
	flags := dataFolderFlags{revisionFlags: c.revisionFlags, filterFlags: c.filterFlags}
	folder, err := flags.openDataFolder(ctx, st, c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	conversion, err := folder.newWorker(nil, nil).Conversion()
	if err != nil {
		return err
	}
	n, err := quarantine.Replay(ctx, folder.Data, conversion, c.Class, c.DryRun)
	if _, ok := errors.AsType[*layout.CorruptError](err); ok {
		return cli.Fail(cli.ExitCorrupt, err)
	}
	if err != nil {
		return err
	}
	verb := "converted"
	if c.DryRun {
		verb = "would convert"
	}
	fmt.Fprintf(st.Stdout, "%s %d of %d submissions\n", verb, n.Records, n.Tried)
	for _, class := range slices.Sorted(maps.Keys(n.Quarantined)) {
		fmt.Fprintf(st.Stdout, "still %s: %d\n", class, n.Quarantined[class])
	}
	for _, reason := range slices.Sorted(maps.Keys(n.Dropped)) {
		fmt.Fprintf(st.Stdout, "filtered %s: %d\n", reason, n.Dropped[reason])
	}
	if n.Waiting > 0 {
		fmt.Fprintf(st.Stdout, "of these, without definitions for now: %d\n", n.Waiting)
	}
	bad := int64(0)
	for _, count := range n.Quarantined {
		bad += count
	}
	if bad > 0 {
		return rejected(bad, "submissions")
	}
	return nil
}

// printCounts prints how many submissions are in the quarantine, by class,
// channel and day.
func printCounts(ctx context.Context, out io.Writer, tree *layout.Tree, class string) error {
	segs, err := quarantine.Segments(ctx, tree, class)
	if err != nil {
		return err
	}
	type key struct{ class, channel, day string }
	counts := map[key]int64{}
	for _, s := range segs {
		info, err := tree.Info(s)
		if err != nil {
			return cli.Fail(cli.ExitCorrupt, err)
		}
		counts[key{s.Class, s.Dims[schema.Channel], s.Dims[schema.SubmissionDate]}] += info.Records
	}
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b key) int {
		return strings.Compare(a.class+"\x00"+a.channel+"\x00"+a.day, b.class+"\x00"+b.channel+"\x00"+b.day)
	})
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "CLASS\tCHANNEL\tDAY\tSUBMISSIONS")
	for _, k := range keys {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\n", k.class, k.channel, k.day, counts[k])
	}
	return tw.Flush()
}
