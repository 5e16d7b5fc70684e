package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// What --explain runs for its estimate: about so many tasks, for so long at most.
const (
	trialTasks = 16
	trialLimit = 5 * time.Second
)

// extent is how much data some segments hold.
type extent struct {
	segments, partitions int
	compressedBytes      int64
	inColumns            int64 // of these, in segments in columns

	// Old formats do not say how much they hold.
	records, rawBytes int64 // of the segments that say it
	silent            int   // segments that do not
}

// extentOf reads how much the segments hold, from their trailers.
func extentOf(tree *layout.Tree, segments []layout.Segment) (extent, error) {
	var e extent
	partitions := map[schema.Dims]bool{}

	for _, segment := range segments {
		info, err := tree.Info(segment)
		if err != nil {
			return e, err
		}

		e.segments++
		e.compressedBytes += segment.Size

		if segment.InColumns() {
			e.inColumns += segment.Size
		}
		segment.Partitions(func(dims schema.Dims) { partitions[dims] = true })

		// Old segments do not say how many records they have.
		if info.Records < 0 {
			e.silent++
			continue
		}
		e.records += info.Records
		e.rawBytes += info.RawBytes
	}

	e.partitions = len(partitions)
	return e, nil
}

func (e extent) recordsText() string {
	switch e.silent {
	case 0:
		return fmt.Sprint(e.records)
	case e.segments:
		return "?"
	}
	return fmt.Sprintf("%d and those of %d old segments", e.records, e.silent)
}

func (e extent) rawText() string {
	if e.silent > 0 {
		return "?"
	}
	return bytesText(e.rawBytes)
}

// explainPlan prints what the job would read, compared with the whole tree, and
// how long it may take, for which it runs some tasks.
func (c *runCmd) explainPlan(ctx context.Context, s *session) error {
	// What there is, and what the job reads of it.
	all, err := s.tree.Segments(ctx, schema.All())
	if err != nil {
		return err
	}

	whole, err := extentOf(s.tree, all)
	if err != nil {
		return err
	}

	used, err := extentOf(s.tree, s.plan.Inputs())
	if err != nil {
		return err
	}

	trial, err := c.estimate(ctx, s)
	if err != nil {
		return err
	}

	// A row for each measure: used of whole.
	table := tabwriter.NewWriter(s.st.Stdout, 0, 8, 2, ' ', 0)
	row := func(what string, used, whole any) { fmt.Fprintf(table, "%s\t%v of %v\n", what, used, whole) }
	row("partitions", used.partitions, whole.partitions)
	row("segments", used.segments, whole.segments)
	row("records", used.recordsText(), whole.recordsText())
	row("compressed", bytesText(used.compressedBytes), bytesText(whole.compressedBytes))
	row("unpacked", used.rawText(), whole.rawText())
	if whole.compressedBytes > 0 {
		fmt.Fprintf(table, "pruned\t%.1f%% of the bytes\n", 100-100*float64(used.compressedBytes)/float64(whole.compressedBytes))
	}

	// Each job whose rows are imported is a pass of its own.
	for i, pass := range s.passes {
		fmt.Fprintf(table, "pass %d\t%s\n", i+1, pass.name)
	}

	tasks := len(s.plan.Tasks)
	fmt.Fprintf(table, "tasks\t%d, %d at a time\n", tasks, min(s.engine.Mappers, max(1, tasks)))

	// Columns are known only of a trial that has read some.
	if len(trial.columns) > 0 {
		fmt.Fprintf(table, "columns\t%s\n", trial.columnsText())
		fmt.Fprintf(table, "of columns\t%s read, of %s in segments in columns\n", bytesText(trial.columnBytes), bytesText(used.inColumns))
	}

	fmt.Fprintf(table, "estimate\t%s\n", trial.text)
	return table.Flush()
}

// trialRun is what a trial says of the whole plan.
type trialRun struct {
	text        string
	columns     []string // that it read
	columnBytes int64    // which these take in the files, scaled up to the plan
}

// columnsText names the columns, at most a dozen.
func (t trialRun) columnsText() string {
	const most = 12
	if len(t.columns) <= most {
		return strings.Join(t.columns, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(t.columns[:most], ", "), len(t.columns)-most)
}

// estimate runs some tasks, spread over the plan, and scales their time up to the
// whole plan.
func (c *runCmd) estimate(ctx context.Context, s *session) (trialRun, error) {
	if len(s.plan.Tasks) == 0 {
		return trialRun{text: "nothing to do"}, nil
	}

	// Tasks that are spread over the plan: neighbours read one partition, and are alike.
	trial := &engine.Plan{}
	for i := 0; i < len(s.plan.Tasks); i += max(1, len(s.plan.Tasks)/trialTasks) {
		trial.Tasks = append(trial.Tasks, s.plan.Tasks[i])
		trial.Bytes += s.plan.Tasks[i].Bytes
	}

	// The rows of other jobs are not there, but the first of these needs none.
	each := ""
	if len(s.passes) > 0 {
		job := *s.job
		job.Script = s.passes[0].script
		s.work = &job
		each = fmt.Sprintf(" for each of %d passes", len(s.passes)+1)
	}

	// A trial tolerates all failures, and neither logs nor saves them: the run will.
	options := s.engine
	options.MaxErrors = -1
	options.Rejected = nil
	options.Log = engine.DefaultOptions().Log
	s.takeSample(c.share())

	trialCtx, cancel := context.WithTimeout(ctx, trialLimit)
	defer cancel()

	start := time.Now()
	stats, err := engine.Run(trialCtx, s.source, trial, s.work, format.NewTSV(io.Discard), options)
	seconds := time.Since(start).Seconds()

	// A trial that ran into its own limit gives a lower bound.
	atLeast := ""
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		atLeast, err = "at least ", nil
	}
	if err != nil {
		return trialRun{}, err
	}

	// Time and columns go with compressed bytes.
	scale := float64(s.plan.Bytes) / float64(max(trial.Bytes, 1))
	text := fmt.Sprintf("%s%.2g s%s: %d tasks of %s together took %.2g s",
		atLeast, seconds*scale, each, len(trial.Tasks), bytesText(trial.Bytes), seconds)
	return trialRun{text: text, columns: stats.Columns, columnBytes: int64(float64(stats.ColumnBytes) * scale)}, nil
}
