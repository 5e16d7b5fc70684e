package engine

import (
	"context"
	"fmt"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// FramesPerTask is how many frames of a big segment make one map task. A
// constant: the cut decides which records share a mapper's globals.
const FramesPerTask = 8

// Plan is the work that a job has to do.
type Plan struct {
	Tasks    []Task
	Segments int
	Bytes    int64 // compressed
	Pruned   int   // segments that accept dropped
}

// NewPlan lists the segments that f and accept select and cuts them into tasks.
// A nil accept selects all. Errors are the source's and accept's.
func NewPlan(ctx context.Context, src Source, f schema.Filter, accept func(schema.Dims) (bool, error)) (*Plan, error) {
	segs, err := src.Segments(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	plan := &Plan{}
	decisions := map[schema.Dims]bool{} // accept is called once per partition
	for _, seg := range segs {
		if accept != nil {
			ok, decided := decisions[seg.Dims]
			if !decided {
				if ok, err = accept(seg.Dims); err != nil {
					return nil, err
				}
				decisions[seg.Dims] = ok
			}
			if !ok {
				plan.Pruned++
				continue
			}
		}

		plan.Segments++
		plan.Bytes += seg.Size

		// A small segment is one task, a big one several.
		if seg.Frames <= FramesPerTask {
			plan.Tasks = append(plan.Tasks, Task{Index: len(plan.Tasks), Segment: seg, Hi: -1, Bytes: seg.Size})
			continue
		}

		for lo := 0; lo < seg.Frames; lo += FramesPerTask {
			hi := min(lo+FramesPerTask, seg.Frames)
			plan.Tasks = append(plan.Tasks, Task{
				Index: len(plan.Tasks), Segment: seg, Lo: lo, Hi: hi,
				Bytes: seg.Size * int64(hi-lo) / int64(seg.Frames),
			})
		}
	}
	return plan, nil
}

// Inputs returns the segments of the tasks, each once, in the order of the input.
func (p *Plan) Inputs() []layout.Segment {
	var segs []layout.Segment
	for _, t := range p.Tasks {
		if t.Lo == 0 {
			segs = append(segs, t.Segment.Segment)
		}
	}
	return segs
}
