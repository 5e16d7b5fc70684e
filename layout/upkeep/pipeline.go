package upkeep

import (
	"bytes"
	"context"
	"iter"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/aitgithub/telemetry-server/layout"
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
// and ends it; any other error ends everything.
func compress(ctx context.Context, t *layout.Tree, work []*merge, emit func(*frame) error) error {
	workers := min(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	return pipeline.Run(ctx, pipeline.Stages[*frame, *frame]{
		Workers: workers,
		Ahead:   2 * workers,
		Produce: func(_ context.Context, send func(*frame) error) error {
			for _, m := range work {
				if err := read(t, m, send); err != nil {
					return err
				}
			}
			return nil
		},
		Work:    encode,
		Consume: emit,
	})
}

// read sends the frames of one merge, and then the last one.
func read(t *layout.Tree, m *merge, send func(*frame) error) error {
	p := packer{m: m, current: &frame{of: m}, send: send}
	err := p.segments(t)
	if layout.IsDamage(err) {
		m.err = err
	} else if err != nil {
		return err
	}
	return send(&frame{of: m, last: true})
}

// encode compresses frames, in one goroutine of several.
func encode(ctx context.Context, tasks iter.Seq[pipeline.Task[*frame, *frame]]) error {
	tool, _ := exec.LookPath("zstd")
	enc, err := segment.NewEncoder(zstd.SpeedBestCompression, 2*mergedFrameBytes)
	if err != nil {
		return err
	}
	defer enc.Close()

	for task := range tasks {
		f := task.Input
		if f.packed == nil && !f.last {
			f.packed = toolEncode(ctx, tool, f.plain)
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

// toolEncode compresses a frame by the zstd program, which searches harder than
// our package can: merged segments become a seventh smaller. It returns nil
// when there is no such program, or when its frame does not decode to the same.
func toolEncode(ctx context.Context, tool string, plain []byte) []byte {
	if tool == "" {
		return nil
	}

	cmd := exec.CommandContext(ctx, tool, "-16", "--long=23", "-q", "-c", "--stream-size="+strconv.Itoa(len(plain)))
	cmd.Stdin = bytes.NewReader(plain)
	packed, err := cmd.Output()
	if err != nil {
		return nil
	}

	decoded, err := segment.Decode(packed, make([]byte, 0, len(plain)))
	if err != nil || !bytes.Equal(decoded, plain) {
		return nil
	}
	return packed
}

// packer cuts the records of a merge's segments into frames.
type packer struct {
	m       *merge
	current *frame // being filled
	send    func(*frame) error
}

// segments reads all segments of the merge.
func (p *packer) segments(t *layout.Tree) error {
	for _, s := range p.m.in {
		if err := p.segment(t, s); err != nil {
			return err
		}
	}
	return p.flush()
}

// flush sends the frame being filled.
func (p *packer) flush() error {
	if len(p.current.plain) == 0 {
		return nil
	}

	full := p.current
	p.current = &frame{of: p.m, plain: make([]byte, 0, cap(full.plain))}
	return p.send(full)
}

// segment reads one segment.
func (p *packer) segment(t *layout.Tree, s layout.Segment) error {
	f, ix, err := t.Index(s)
	if err != nil {
		return err
	}
	defer f.Close()
	ids, err := ix.ReadIDs(f)
	if err != nil {
		return layout.InFile(s.Path, err)
	}

	p.m.replaces = append(p.m.replaces, ix.Replaces...)
	p.m.replaces = append(p.m.replaces, s.Unique)
	f.Ahead(ix.Span(0, len(ix.Frames)))

	frames := segment.NewFrames(f, ix.Frames)
	record := 0
	for _, n := range ix.PerFrame {
		lines, err := frames.Next()
		if err != nil {
			return layout.InFile(s.Path, err)
		}
		end := record + int(n)
		frameIDs := ids.Slice(record, end)
		record = end

		if s.Merged() && len(lines) >= mergedFrameBytes/2 {
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

// copy sends a full frame of a segment that was merged before as it is.
func (p *packer) copy(lines, packed []byte, ids segment.IDs) error {
	if err := p.flush(); err != nil {
		return err
	}
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
