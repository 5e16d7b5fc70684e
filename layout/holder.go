package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Holder returns the segment that has the records which were published under that path,
// relative to the data folder: the segment of that name, or the merged one that replaced
// it, in rows or in columns. The error wraps fs.ErrNotExist if neither is there.
func (d *Data) Holder(ctx context.Context, name string) (Segment, error) {
	wanted, ok := parsePath(name)
	if !ok {
		return Segment{}, fmt.Errorf("%s is no segment: %w", name, fs.ErrNotExist)
	}

	tree := d.Tree()
	if wanted.Quarantined {
		tree = d.localTree()
	}
	for {
		holder, err := tree.holder(ctx, wanted)
		// A compaction replaced what was listed, so its segment comes in the next listing.
		if !errors.Is(err, errListAgain) {
			return holder, err
		}
	}
}

// errListAgain says that a segment went away between its listing and its reading.
var errListAgain = errors.New("list again")

// holder looks once for the holder of the segment.
func (t *Tree) holder(ctx context.Context, wanted Segment) (Segment, error) {
	entries, err := t.files.List(ctx, path.Dir(wanted.Path))
	if err != nil {
		return Segment{}, err
	}

	var merged []Segment
	for _, entry := range entries {
		seg := wanted
		seg.Path = path.Join(path.Dir(wanted.Path), entry.Name)
		seg.Size = entry.Size
		if seg.Path == wanted.Path {
			return seg, nil
		}
		if seg.parseSegmentName(entry.Name) && seg.Merged() && seg.Group() == wanted.Group() {
			merged = append(merged, seg)
		}
	}

	for _, seg := range merged {
		file, ix, err := t.Index(seg)
		if errors.Is(err, fs.ErrNotExist) {
			return Segment{}, errListAgain
		}
		if err != nil {
			return Segment{}, err
		}
		file.Close()
		if slices.Contains(ix.Replaces, wanted.Unique) {
			return seg, nil
		}
	}
	return t.columnsHolder(wanted)
}

// columnsHolder looks for the holder among the segments in columns, which only published
// records have. They come after the rows, as in a listing: see columns.go.
func (t *Tree) columnsHolder(wanted Segment) (Segment, error) {
	notThere := fmt.Errorf("%s: %w", wanted.Path, fs.ErrNotExist)
	if wanted.Quarantined {
		return Segment{}, notThere
	}
	segments, err := t.columnsOf(wanted.Dims[schema.SubmissionDate])
	if err != nil {
		return Segment{}, err
	}

	for _, seg := range segments {
		replaced, err := t.ColumnReplaces(seg)
		if errors.Is(err, fs.ErrNotExist) {
			return Segment{}, errListAgain
		}
		if err != nil {
			return Segment{}, err
		}
		if slices.Contains(replaced, BelowTop(wanted.Path)) {
			seg.Parts, err = t.AllParts(seg)
			return seg, err
		}
	}
	return Segment{}, notThere
}

// Replaced returns the paths of the segments that a merged one replaced; none of another.
func (d *Data) Replaced(merged Segment) ([]string, error) {
	if !merged.Merged() {
		return nil, nil
	}
	tree := d.Tree()
	if merged.Quarantined {
		tree = d.localTree()
	}

	file, ix, err := tree.Index(merged)
	if err != nil {
		return nil, err
	}
	file.Close()

	var names []string
	for _, unique := range ix.Replaces {
		names = append(names, merged.Group()+unique+".zst")
	}
	return names, nil
}

// parsePath reads the path of a segment in a data folder.
func parsePath(name string) (seg Segment, ok bool) {
	seg.Path = name
	top, rest, _ := strings.Cut(name, "/")
	if top == QuarantineDir {
		seg.Quarantined = true
		seg.Class, rest, _ = strings.Cut(rest, "/")
	} else if top != PublishedDir {
		return seg, false
	}

	parts := strings.Split(rest, "/")
	if len(parts) != schema.FolderDims+1 {
		return seg, false
	}
	for dim := range schema.FolderDims {
		seg.Dims[dim] = schema.ValueOfName(parts[dim])
	}
	return seg, seg.parseSegmentName(parts[schema.FolderDims])
}
