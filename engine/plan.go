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
	Pruned   int   // segments that accept refused
}

// NewPlan lists the segments that f and accept select and cuts them into tasks.
// A nil accept selects all. Errors are the source's and accept's.
func NewPlan(ctx context.Context, src Source, f schema.Filter, accept func(schema.Dims) (bool, error)) (*Plan, error) {
	segs, err := src.Segments(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	p := &Plan{}
	verdict := map[schema.Dims]bool{} // accept is asked once per partition
	for _, s := range segs {
		if accept != nil {
			ok, asked := verdict[s.Dims]
			if !asked {
				if ok, err = accept(s.Dims); err != nil {
					return nil, err
				}
				verdict[s.Dims] = ok
			}
			if !ok {
				p.Pruned++
				continue
			}
		}
		p.Segments++
		p.Bytes += s.Size
		if s.Frames <= FramesPerTask {
			p.Tasks = append(p.Tasks, Task{Index: len(p.Tasks), Segment: s, Hi: -1, Bytes: s.Size})
			continue
		}
		for lo := 0; lo < s.Frames; lo += FramesPerTask {
			hi := min(lo+FramesPerTask, s.Frames)
			p.Tasks = append(p.Tasks, Task{
				Index: len(p.Tasks), Segment: s, Lo: lo, Hi: hi,
				Bytes: s.Size * int64(hi-lo) / int64(s.Frames),
			})
		}
	}
	return p, nil
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
