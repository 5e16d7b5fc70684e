// Package memory is an engine.Source of records in memory: for the cases that
// `tmrun test` runs, for calls that are made again, and for tests.
package memory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Source is a list of segments, each a list of frames of whole lines.
type Source []Segment

// Segment is a segment in memory.
type Segment struct {
	Path   string
	Dims   schema.Dims
	Frames []string
}

var _ engine.Source = Source(nil)

// Segments implements engine.Source.
func (s Source) Segments(_ context.Context, filter schema.Filter) ([]engine.Segment, error) {
	var out []engine.Segment
	for _, seg := range s {
		if !filter.Selects(seg.Dims) {
			continue
		}

		// The size is that of the lines: there is no file that could be compressed.
		var size int64
		for _, fr := range seg.Frames {
			size += int64(len(fr))
		}

		out = append(out, engine.Segment{
			Segment: layout.Segment{Path: seg.Path, Dims: seg.Dims, Size: size}, Frames: len(seg.Frames),
		})
	}

	slices.SortFunc(out, func(a, b engine.Segment) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}

// Open implements engine.Source.
func (s Source) Open(seg engine.Segment, lo, hi int) (engine.Blocks, error) {
	found, err := s.find(seg.Path)
	if err != nil {
		return nil, err
	}

	if hi < 0 {
		hi = len(found.Frames)
	}
	return &blocks{frames: found.Frames[lo:hi]}, nil
}

// Fingerprint implements engine.Source.
func (s Source) Fingerprint(seg engine.Segment) ([sha256.Size]byte, error) {
	found, err := s.find(seg.Path)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256([]byte(strings.Join(found.Frames, "\x00"))), nil
}

func (s Source) find(path string) (Segment, error) {
	at := slices.IndexFunc(s, func(seg Segment) bool { return seg.Path == path })
	if at < 0 {
		return Segment{}, fmt.Errorf("no segment %s", path)
	}
	return s[at], nil
}

// blocks is an open segment: a block is a frame.
type blocks struct {
	frames []string
	block  []byte
}

// NextBlock implements engine.Blocks. It overwrites the last block, so that tests notice
// code that uses a block for too long.
func (b *blocks) NextBlock() (layout.Block, error) {
	for i := range b.block {
		b.block[i] = '!'
	}

	// One frame after the other, in the memory of the block before.
	if len(b.frames) == 0 {
		return layout.Block{}, io.EOF
	}

	b.block = append(b.block[:0], b.frames[0]...)
	b.frames = b.frames[1:]
	return layout.Block{Lines: b.block}, nil
}

// Close implements engine.Blocks.
func (b *blocks) Close() error { return nil }
