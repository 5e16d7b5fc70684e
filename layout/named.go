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

// ErrNotListed is returned (wrapped) for a segment that was named and is not there.
var ErrNotListed = errors.New("there is no such segment")

// Named lists those of the named segments that List with the same filter would have: not
// those that a merged segment or one in columns replaces, also if that one is not named.
// Names are paths as in Segment.Path. Those that are no segments are Strays. It lists the
// folders of the named ones only, and the top of the tree.
func (t *Tree) Named(ctx context.Context, names []string, f schema.Filter) (Listing, error) {
	w := walk{t: t, f: f}
	wanted := map[string]bool{}
	listed := map[string]bool{} // folders
	for _, name := range names {
		wanted[name] = true
		dir := path.Dir(name)
		if listed[dir] {
			continue
		}
		listed[dir] = true

		seg, selected, ok := w.place(dir)
		switch {
		case !ok && !isColumnsName(path.Base(name)):
			w.Strays = append(w.Strays, name)
			listed[dir] = false
		case ok && selected:
			if err := w.leaf(ctx, dir, seg); err != nil {
				return Listing{}, err
			}
		}
	}

	top := "."
	if t.data {
		top = PublishedDir
	}
	if err := w.columns(ctx, top); err != nil {
		return Listing{}, err
	}

	// The folders hold others, too.
	isOther := func(seg Segment) bool { return !wanted[seg.Path] }
	w.Segments = slices.DeleteFunc(w.Segments, isOther)
	w.Hidden = slices.DeleteFunc(w.Hidden, isOther)
	w.Strays = slices.DeleteFunc(w.Strays, func(name string) bool { return !wanted[name] })
	slices.SortFunc(w.Segments, func(a, b Segment) int { return strings.Compare(a.Path, b.Path) })
	return w.Listing, w.missing(names)
}

// missing returns an error for the first name that is not there at all.
func (w *walk) missing(names []string) error {
	known := map[string]bool{}
	for _, segments := range [][]Segment{w.Segments, w.Hidden} {
		for _, seg := range segments {
			known[seg.Path] = true
		}
	}
	for _, name := range w.Strays {
		known[name] = true
	}

	// What the filter does not select is in no list.
	for _, name := range names {
		if known[name] {
			continue
		}
		file, err := w.t.files.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", name, ErrNotListed)
		}
		if err != nil {
			return fmt.Errorf("open %s: %w", name, err)
		}
		file.Close()
	}
	return nil
}

// place returns what the path of a partition's folder says, and whether the filter selects
// it; not ok if it is no such folder.
func (w *walk) place(dir string) (s Segment, selected, ok bool) {
	parts := strings.Split(dir, "/")
	selected = true

	// The folders above the partitions.
	switch {
	case parts[0] == QuarantineDir:
		s.Quarantined = true
		selected = w.f.IncludeQuarantined
		parts = parts[1:]
		if w.t.data && len(parts) > 0 {
			s.Class = parts[0]
			parts = parts[1:]
		}
	case w.t.data && parts[0] == PublishedDir:
		parts = parts[1:]
	case w.t.data:
		return s, false, false
	}
	if len(parts) != schema.FolderDims {
		return s, false, false
	}

	for level, name := range parts {
		if name == "" || name[0] == '.' {
			return s, false, false
		}
		s.Dims[level] = schema.ValueOfName(name)
		selected = selected && w.f.Matches(level, s.Dims[level])
	}
	return s, selected, true
}

// TopOf returns the top of the tree that a segment's file lies in, as OpenTree opens it,
// and the segment's path in the tree. It goes by the shape of the path alone, so the file
// may be no segment.
func TopOf(file string) (top, name string) {
	file = path.Clean(file)
	top = path.Dir(file)
	if !isColumnsName(path.Base(file)) {
		for range schema.FolderDims {
			top = path.Dir(top)
		}
	}

	// A data folder is above published/ and invalid/<class>/; in the predecessor's tree,
	// invalid/ stands beside the reasons.
	switch {
	case path.Base(top) == PublishedDir, path.Base(top) == QuarantineDir:
		top = path.Dir(top)
	case path.Base(path.Dir(top)) == QuarantineDir:
		top = path.Dir(path.Dir(top))
	}

	name = strings.TrimPrefix(strings.TrimPrefix(file, top), "/")
	return top, name
}

// PlannedSegment returns the segment of a path that a Tree has listed elsewhere, without
// its size, its parts and its place in the quarantine; not ok if it is the path of no segment.
func PlannedSegment(name string) (s Segment, ok bool) {
	if s, ok = parseColumnsName(path.Base(name)); ok {
		s.Path = name
		return s, true
	}

	// The folders of the partition are the last ones.
	folders := strings.Split(path.Dir(name), "/")
	if len(folders) < schema.FolderDims {
		return s, false
	}
	for level, folder := range folders[len(folders)-schema.FolderDims:] {
		s.Dims[level] = schema.ValueOfName(folder)
	}
	s.Path = name
	return s, s.parseSegmentName(path.Base(name))
}
