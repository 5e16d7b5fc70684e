package upkeep

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"runtime"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/pipeline"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/klauspost/compress/zstd"
)

// frame is one frame of a merged segment on its way:
//
//	read (one goroutine) ──► encode (one per core) ──► emit (one), in order
//
// A frame is about mergedFrameBytes, and about three per core are on their way.
type frame struct {
	of     *merge
	plain  []byte
	packed []byte // set by the reader when it need not be encoded again
	ids    segment.IDs
	last   bool // no bytes: the partition is complete, or of.err says why not
}

// compress reads the segments of each merge, packs their records in frames and
// calls emit with those, in one goroutine. Damage in a segment sets the merge's err
// and ends this merge; any other error ends everything.
func compress(ctx context.Context, t *layout.Tree, scratch *backend.Disk, program *tool, work []*merge, forgotten *forget.Set, emit func(*frame) error) error {
	// Compression takes nearly all of the time, so each core does one frame.
	workers := min(runtime.NumCPU(), runtime.GOMAXPROCS(0))

	return pipeline.Run(ctx, pipeline.Stages[*frame, *frame]{
		Workers: workers,
		Ahead:   2 * workers,
		Produce: func(ctx context.Context, send func(*frame) error) error {
			for _, m := range work {
				if err := read(ctx, t, scratch, m, forgotten, send); err != nil {
					return err
				}
			}
			return nil
		},
		Work:    program.encode,
		Consume: emit,
	})
}

// read sends the frames of one merge, and then the last one.
func read(ctx context.Context, t *layout.Tree, scratch *backend.Disk, m *merge, forgotten *forget.Set, send func(*frame) error) error {
	p := packer{m: m, current: &frame{of: m}, send: send, forgotten: forgotten}

	err := p.segments(ctx, t, scratch)
	if err != nil && !layout.IsDamage(err) && !errors.Is(err, layout.ErrNewer) {
		return err
	}

	// emit reads err when it gets the last frame, which is sent after this.
	m.err = err
	return send(&frame{of: m, last: true})
}

// encode compresses frames, in one goroutine of several.
func (t *tool) encode(ctx context.Context, tasks iter.Seq[pipeline.Task[*frame, *frame]]) error {
	enc, err := segment.NewEncoder(zstd.SpeedBestCompression, 2*mergedFrameBytes)
	if err != nil {
		return err
	}
	defer enc.Close()

	for task := range tasks {
		f := task.Input
		// Frames of merged segments are compressed already.
		if f.packed == nil && !f.last {
			f.packed = t.compress(ctx, f.plain)
		}
		if f.packed == nil && !f.last {
			f.packed = enc.EncodeAll(f.plain, nil)
		}

		if err := task.Send(f); err != nil {
			return err
		}
	}
	return nil
}

// packer cuts the records of a merge's segments into frames.
type packer struct {
	m       *merge
	current *frame // being filled
	send    func(*frame) error

	forgotten *forget.Set
	leave     leaver // what is left out of the segment in hand
}

// segments reads all segments of the merge.
func (p *packer) segments(ctx context.Context, t *layout.Tree, scratch *backend.Disk) error {
	if err := p.findRepeats(ctx, t, scratch); err != nil {
		return err
	}
	defer p.m.repeats.close()

	for _, seg := range p.m.in {
		var err error
		repeated := p.m.repeats.count()
		p.leave, err = newLeaver(t, seg, p.forgotten, p.m.whatever, &p.m.clients)
		if err == nil && seg.Seekable() {
			err = p.segment(t, seg)
		} else if err == nil {
			err = p.text(t, seg)
		}
		if err != nil {
			return err
		}
		p.m.forgotten += p.leave.left

		// The filter of a segment that need not be read counts all its records.
		if !p.leave.everyLine {
			p.m.clients.LeaveOut(p.m.repeats.count() - repeated)
		}
	}

	return p.flush()
}

// flush sends the frame being filled.
func (p *packer) flush() error {
	if len(p.current.plain) == 0 {
		return nil
	}

	// The next frame will be as long: allocate its buffer once.
	full := p.current
	p.current = &frame{of: p.m, plain: make([]byte, 0, cap(full.plain))}
	return p.send(full)
}

// segment reads one segment.
func (p *packer) segment(t *layout.Tree, seg layout.Segment) error {
	file, ix, err := t.Index(seg)
	if err != nil {
		return err
	}
	defer file.Close()
	ids, err := ix.IDs(file)
	if err != nil {
		return layout.InFile(seg.Path, err)
	}

	// The merged segment also replaces what this one replaced when it was merged.
	p.m.replaces = append(p.m.replaces, ix.Replaces...)
	p.m.replaces = append(p.m.replaces, seg.Unique)

	// The index says how many records each frame has, and so how many IDs are its own.
	file.Ahead(ix.Span(0, len(ix.Frames)))
	frames := segment.NewFrames(file, ix.Frames)
	record := 0
	for _, count := range ix.PerFrame {
		lines, err := frames.Next()
		if err != nil {
			return layout.InFile(seg.Path, err)
		}
		frameIDs, err := ids.Next(int(count))
		if err != nil {
			return layout.InFile(seg.Path, err)
		}
		lines, frameIDs, err = p.m.repeats.leaveOut(seg.Path, record, lines, frameIDs)
		if err != nil {
			return err
		}
		record += int(count)
		lines, frameIDs = p.leave.of(lines, frameIDs)
		if len(lines) == 0 {
			continue
		}

		// A large frame of a merged segment is compressed as well as a new one would be.
		if seg.Merged() && len(lines) >= mergedFrameBytes/2 && frameIDs.Len() == int(count) {
			err = p.copy(lines, frames.Packed(), frameIDs)
		} else {
			err = p.add(lines, frameIDs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// text reads a segment without an index.
func (p *packer) text(t *layout.Tree, seg layout.Segment) error {
	p.m.replaces = append(p.m.replaces, seg.Unique)
	return t.Salvage(seg, true, func(lines []byte, ids segment.IDs) error {
		return p.add(p.leave.of(lines, ids))
	})
}

// copy sends a full frame of a segment that was merged before as it is.
func (p *packer) copy(lines, packed []byte, ids segment.IDs) error {
	// The records before it come first.
	if err := p.flush(); err != nil {
		return err
	}

	// The reader uses its buffers again while this frame is on its way.
	return p.send(&frame{of: p.m, plain: bytes.Clone(lines), packed: bytes.Clone(packed), ids: ids})
}

// add appends records to the frame being filled.
func (p *packer) add(lines []byte, ids segment.IDs) error {
	p.current.plain = append(p.current.plain, lines...)
	p.current.ids.Append(ids)

	if len(p.current.plain) < mergedFrameBytes {
		return nil
	}
	return p.flush()
}
