package engine

import (
	"context"
	"errors"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// smallSegment is the compressed size below which a segment cannot have frames
// for two tasks, so that its trailer need not be read.
const smallSegment = 512 << 10

// TreeSource is the Source of a data folder or partition tree.
type TreeSource struct {
	Tree *layout.Tree
	// Duplicates are left out; nil leaves out nothing.
	Duplicates *dedup.Duplicates
}

var _ Source = TreeSource{}

// Segments implements Source.
func (s TreeSource) Segments(ctx context.Context, f schema.Filter) ([]Segment, error) {
	list, err := s.Tree.Segments(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.withFrames(list)
}

// withFrames returns segments as the engine sees them.
func (s TreeSource) withFrames(list []layout.Segment) ([]Segment, error) {
	out := make([]Segment, len(list))
	for i, seg := range list {
		out[i].Segment = seg
		if seg.InColumns() {
			// One that is damaged has no parts: its task returns the damage.
			for _, part := range seg.Parts {
				out[i].Frames = max(out[i].Frames, part.Group+1)
			}
			continue
		}

		if seg.Size < smallSegment || !seg.Seekable() {
			continue
		}

		// Only a segment that can have frames for two tasks is opened to count them.
		info, err := s.Tree.Info(seg)
		if err != nil {
			return nil, err
		}
		out[i].Frames = info.Frames
	}
	return out, nil
}

// Open implements Source.
func (s TreeSource) Open(seg Segment, lo, hi int) (Blocks, error) {
	reader, err := s.Tree.Open(seg.Segment, lo, hi)
	if err != nil {
		return nil, err
	}

	if s.Duplicates != nil {
		reader.Skip(s.Duplicates)
	}
	return reader, nil
}

// Fingerprint implements Source.
func (s TreeSource) Fingerprint(seg Segment) ([32]byte, error) {
	if s.Duplicates != nil {
		return [32]byte{}, errDuplicates
	}
	return s.Tree.Fingerprint(seg.Segment)
}

// errDuplicates: which records are duplicates depends on all segments.
var errDuplicates = errors.New("the result of a segment without duplicates depends on the other segments")

// NamedSource is the Source of some segments of a tree: of those of Names that the
// filter selects and that count (see layout.Tree.Named).
type NamedSource struct {
	TreeSource
	Names   []string
	Skipped func(name string) // called for each of Names that is no segment
}

var _ Source = NamedSource{}

// Segments implements Source.
func (s NamedSource) Segments(ctx context.Context, f schema.Filter) ([]Segment, error) {
	listing, err := s.Tree.Named(ctx, s.Names, f)
	if err != nil {
		return nil, err
	}

	for _, name := range listing.Strays {
		s.Skipped(name)
	}
	return s.withFrames(listing.Segments)
}
