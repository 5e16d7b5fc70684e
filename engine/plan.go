package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
		seg, ok, err := acceptParts(seg, accept, decisions)
		if err != nil {
			return nil, err
		}
		if !ok {
			plan.Pruned++
			continue
		}

		plan.Segments++
		plan.Bytes += seg.Size
		plan.cut(seg)
	}

	plan.order()
	return plan, nil
}

// acceptParts decides about the partitions of a segment, and returns it with those that
// are accepted; ok is false if none is.
func acceptParts(seg Segment, accept func(schema.Dims) (bool, error), decisions map[schema.Dims]bool) (_ Segment, ok bool, err error) {
	if accept == nil {
		return seg, true, nil
	}

	// accept may run a script, so its decision about a partition is cached.
	decide := func(dims schema.Dims) (bool, error) {
		ok, decided := decisions[dims]
		if !decided {
			if ok, err = accept(dims); err != nil {
				return false, err
			}
			decisions[dims] = ok
		}
		return ok, nil
	}

	// A segment without parts is one partition.
	if len(seg.Parts) == 0 {
		ok, err = decide(seg.Dims)
		return seg, ok, err
	}

	// Of a segment with parts only the accepted ones are read.
	var parts []layout.Part
	for _, part := range seg.Parts {
		ok, err := decide(part.Dims)
		if err != nil {
			return seg, false, err
		}
		if ok {
			parts = append(parts, part)
		}
	}

	seg.Parts = parts
	return seg, len(parts) > 0, nil
}

// cut adds the tasks of a segment: a small one is one task, a big one several.
func (p *Plan) cut(seg Segment) {
	switch {
	case seg.InColumns() && len(seg.Parts) > 0:
		// A row group is a task, if it has accepted records.
		records := 0
		for _, part := range seg.Parts {
			records += part.Hi - part.Lo
		}

		// Parts are in the order of their groups, so another group begins another task.
		for i, part := range seg.Parts {
			if i == 0 || part.Group != seg.Parts[i-1].Group {
				p.Tasks = append(p.Tasks, Task{Index: len(p.Tasks), Segment: seg, Lo: part.Group, Hi: part.Group + 1, FirstPart: i})
			}

			// order fills in the places later.
			task := &p.Tasks[len(p.Tasks)-1]
			task.Places = append(task.Places, 0)
			task.Bytes += seg.Size * int64(part.Hi-part.Lo) / int64(records)
		}
	case seg.Frames <= FramesPerTask:
		// Hi -1 means the whole segment.
		p.Tasks = append(p.Tasks, Task{Index: len(p.Tasks), Segment: seg, Hi: -1, Bytes: seg.Size})
	default:
		// The plan does not know the sizes of frames, so it takes them as equal.
		for lo := 0; lo < seg.Frames; lo += FramesPerTask {
			hi := min(lo+FramesPerTask, seg.Frames)
			p.Tasks = append(p.Tasks, Task{
				Index: len(p.Tasks), Segment: seg, Lo: lo, Hi: hi,
				Bytes: seg.Size * int64(hi-lo) / int64(seg.Frames),
			})
		}
	}
}

// order fills in Task.Places: the records of a partition come together, from the oldest to
// the newest, whatever segments of either form hold them. So values come to reduce in the
// same order before a compaction and after it.
func (p *Plan) order() {
	type run struct {
		order layout.Order
		at    int // in the segment
		place *int
	}

	var runs []run
	for i := range p.Tasks {
		task := &p.Tasks[i]
		if task.Places == nil {
			task.Places = []int{0}
			runs = append(runs, run{task.Segment.OrderOf(-1), task.Lo, &task.Places[0]})
			continue
		}

		// Each part of a segment has a place of its own.
		for n := range task.Places {
			part := task.FirstPart + n
			runs = append(runs, run{task.Segment.OrderOf(part), task.Segment.Parts[part].Record, &task.Places[n]})
		}
	}

	slices.SortStableFunc(runs, func(a, b run) int {
		return cmp.Or(a.order.Compare(b.order), cmp.Compare(a.at, b.at))
	})

	for place, run := range runs {
		*run.place = place
	}
}

// Inputs returns the segments of the tasks, each once, in the order of the input.
func (p *Plan) Inputs() []layout.Segment {
	var segs []layout.Segment
	for i, t := range p.Tasks {
		if i == 0 || t.Segment.Path != p.Tasks[i-1].Segment.Path {
			segs = append(segs, t.Segment.Segment)
		}
	}
	return segs
}
