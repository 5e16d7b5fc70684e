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
func (s Source) Segments(_ context.Context, f schema.Filter) ([]engine.Segment, error) {
	var out []engine.Segment
	for _, seg := range s {
		if !f.Selects(seg.Dims) {
			continue
		}
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
	for i := range s {
		if s[i].Path == seg.Path {
			if hi < 0 {
				hi = len(s[i].Frames)
			}
			return &blocks{frames: s[i].Frames[lo:hi]}, nil
		}
	}
	return nil, fmt.Errorf("no segment %s", seg.Path)
}

// Fingerprint implements engine.Source.
func (s Source) Fingerprint(seg engine.Segment) ([sha256.Size]byte, error) {
	for i := range s {
		if s[i].Path == seg.Path {
			return sha256.Sum256([]byte(strings.Join(s[i].Frames, "\x00"))), nil
		}
	}
	return [sha256.Size]byte{}, fmt.Errorf("no segment %s", seg.Path)
}

type blocks struct {
	frames []string
	buf    []byte
}

// Next overwrites what it returned before, so that tests notice who keeps it.
func (b *blocks) Next() ([]byte, error) {
	for i := range b.buf {
		b.buf[i] = '!'
	}
	if len(b.frames) == 0 {
		return nil, io.EOF
	}
	b.buf = append(b.buf[:0], b.frames[0]...)
	b.frames = b.frames[1:]
	return b.buf, nil
}

func (b *blocks) Close() error { return nil }
