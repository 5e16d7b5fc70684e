package upkeep

import (
	"bytes"
	"context"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
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
	ready  chan struct{}
}

// compress reads the segments of each merge, packs their records in frames and
// hands those to emit, which runs in one goroutine. Damage in a segment
// sets the merge's err and ends it; any other error ends everything.
func compress(ctx context.Context, t *layout.Tree, work []*merge, emit func(*frame) error) error {
	tool, _ := exec.LookPath("zstd")
	workers := min(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	g, ctx := errgroup.WithContext(ctx)
	todo, order := make(chan *frame), make(chan *frame, 2*workers)
	g.Go(func() error {
		defer close(order)
		defer close(todo)
		send := func(f *frame) error {
			f.ready = make(chan struct{})
			select {
			case order <- f:
			case <-ctx.Done():
				return ctx.Err()
			}
			if f.packed != nil || f.last {
				close(f.ready)
				return nil
			}
			select {
			case todo <- f:
			case <-ctx.Done():
				return ctx.Err()
			}
			return nil
		}
		for _, m := range work {
			p := packer{m: m, cur: &frame{of: m}, send: send}
			var err error
			for _, seg := range m.in {
				if err = p.segment(t, seg); err != nil {
					break
				}
			}
			if err == nil {
				err = p.flush()
			}
			if layout.IsDamage(err) {
				m.err = err
			} else if err != nil {
				return err
			}
			if err := send(&frame{of: m, last: true}); err != nil {
				return err
			}
		}
		return nil
	})
	for range workers {
		g.Go(func() error {
			enc, err := segment.NewEncoder(zstd.SpeedBestCompression, 2*mergedFrameBytes)
			if err != nil {
				return err
			}
			defer enc.Close()
			for f := range todo {
				if f.packed = toolEncode(ctx, tool, f.plain); f.packed == nil {
					f.packed = enc.EncodeAll(f.plain, nil)
				}
				close(f.ready)
			}
			return nil
		})
	}
	g.Go(func() error {
		for f := range order {
			select {
			case <-f.ready:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := emit(f); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return g.Wait()
}

// toolEncode compresses a frame by the zstd program, which searches harder than
// our package can: merged segments come out a seventh smaller. It returns nil
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
	if again, err := segment.Decode(packed, make([]byte, 0, len(plain))); err != nil || !bytes.Equal(again, plain) {
		return nil
	}
	return packed
}

// packer cuts the records of a merge's segments into frames.
type packer struct {
	m    *merge
	cur  *frame // being filled
	send func(*frame) error
}

func (p *packer) flush() error {
	if len(p.cur.plain) == 0 {
		return nil
	}
	f := p.cur
	p.cur = &frame{of: p.m, plain: make([]byte, 0, cap(f.plain))}
	return p.send(f)
}

// segment reads one segment. Full frames of one that was merged before are sent
// as they are.
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
	p.m.replaces = append(append(p.m.replaces, ix.Replaces...), s.Unique)
	f.Ahead(ix.Span(0, len(ix.Frames)))
	fr := segment.NewFrames(f, ix.Frames)
	record := 0
	for _, n := range ix.PerFrame {
		b, err := fr.Next()
		if err != nil { // not io.EOF: there are as many frames as counts
			return layout.InFile(s.Path, err)
		}
		of := ids.Slice(record, record+int(n))
		record += int(n)
		if s.Merged() && len(b) >= mergedFrameBytes/2 {
			if err = p.flush(); err == nil {
				err = p.send(&frame{of: p.m, plain: bytes.Clone(b), packed: bytes.Clone(fr.Packed()), ids: of})
			}
		} else {
			p.cur.plain = append(p.cur.plain, b...)
			p.cur.ids.Append(of)
			if len(p.cur.plain) >= mergedFrameBytes {
				err = p.flush()
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
