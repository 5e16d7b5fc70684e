// Package enginetest has an engine.Source in memory, for tests.
package enginetest

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
	Err    error // returned after the last frame
}

var _ engine.Source = Source(nil)

// Lines returns a segment of one frame; records are `<id>\t<json>` without
// newlines.
func Lines(path string, records ...string) Segment {
	return Segment{Path: path, Dims: Dims, Frames: []string{strings.Join(records, "\n") + "\n"}}
}

// Dims are those of segments that Lines makes.
var Dims = schema.Dims{"saved_session", "Firefox", "nightly", "26.0a1", "20130909030204", "20130910"}

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
			return &blocks{frames: s[i].Frames[lo:hi], err: s[i].Err}, nil
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
	err    error
	buf    []byte
}

// Next overwrites what it returned before, so that tests notice who keeps it.
func (b *blocks) Next() ([]byte, error) {
	for i := range b.buf {
		b.buf[i] = '!'
	}
	if len(b.frames) == 0 {
		if b.err != nil {
			return nil, b.err
		}
		return nil, io.EOF
	}
	b.buf = append(b.buf[:0], b.frames[0]...)
	b.frames = b.frames[1:]
	return b.buf, nil
}

func (b *blocks) Close() error { return nil }
