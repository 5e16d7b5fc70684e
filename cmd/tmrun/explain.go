package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// What --explain runs for its estimate: about so many tasks, for so long at most.
const (
	trialTasks = 16
	trialLimit = 5 * time.Second
)

// extent is what some segments hold.
type extent struct {
	segments, partitions int
	compressed           int64
	records, raw         int64 // of the segments that say so
	silent               int   // segments that do not: old formats
}

func extentOf(tree *layout.Tree, segments []layout.Segment) (extent, error) {
	var e extent
	seen := map[schema.Dims]bool{}
	for _, s := range segments {
		info, err := tree.Info(s)
		if err != nil {
			return e, err
		}
		e.segments++
		e.compressed += s.Size
		seen[s.Dims] = true
		if info.Records < 0 {
			e.silent++
			continue
		}
		e.records += info.Records
		e.raw += info.RawBytes
	}
	e.partitions = len(seen)
	return e, nil
}

// explainPlan says what the job would read, compared with the whole store, and
// runs some tasks to judge how long it would take.
func (c *runCmd) explainPlan(ctx context.Context, w io.Writer, src engine.TreeSource, plan *engine.Plan, job *script.Job, o engine.Options) error {
	all, err := src.Tree.Segments(ctx, schema.All())
	if err != nil {
		return err
	}
	whole, err := extentOf(src.Tree, all)
	if err != nil {
		return err
	}
	used, err := extentOf(src.Tree, plan.Inputs())
	if err != nil {
		return err
	}
	estimate, err := c.estimate(ctx, src, plan, job, o)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	of := func(what string, used, whole any) { fmt.Fprintf(t, "%s\t%v of %v\n", what, used, whole) }
	of("partitions", used.partitions, whole.partitions)
	of("segments", used.segments, whole.segments)
	of("records", used.recordsText(), whole.recordsText())
	of("compressed", bytesText(used.compressed), bytesText(whole.compressed))
	of("unpacked", used.rawText(), whole.rawText())
	if whole.compressed > 0 {
		fmt.Fprintf(t, "pruned\t%.1f%% of the bytes\n", 100-100*float64(used.compressed)/float64(whole.compressed))
	}
	fmt.Fprintf(t, "tasks\t%d, %d at a time\n", len(plan.Tasks), min(o.Mappers, max(1, len(plan.Tasks))))
	fmt.Fprintf(t, "estimate\t%s\n", estimate)
	return t.Flush()
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
	return bytesText(e.raw)
}

// estimate runs some tasks, spread over the plan, and draws their time up to it.
func (c *runCmd) estimate(ctx context.Context, src engine.Source, plan *engine.Plan, job *script.Job, o engine.Options) (string, error) {
	if len(plan.Tasks) == 0 {
		return "nothing to do", nil
	}
	trial := &engine.Plan{}
	for i := 0; i < len(plan.Tasks); i += max(1, len(plan.Tasks)/trialTasks) {
		trial.Tasks = append(trial.Tasks, plan.Tasks[i])
		trial.Bytes += plan.Tasks[i].Bytes
	}
	o.MaxErrors, o.Log = -1, engine.DefaultOptions().Log
	var mapped engine.Job = job
	if c.Sample < 100 {
		mapped = engine.Sample(job, float64(c.Sample)/100)
	}
	trialCtx, cancel := context.WithTimeout(ctx, trialLimit)
	defer cancel()
	start := time.Now()
	_, err := engine.Run(trialCtx, src, trial, mapped, format.NewTSV(io.Discard), o)
	took := time.Since(start).Seconds()
	atLeast := ""
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		atLeast, err = "at least ", nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%.2g s: %d tasks of %s together took %.2g s", atLeast,
		took*float64(plan.Bytes)/float64(max(trial.Bytes, 1)), len(trial.Tasks), bytesText(trial.Bytes), took), nil
}
