package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Segments lists the segments that the filter selects, sorted by Path. Folders
// that it does not select are not listed. Files that are no segment (temporary,
// hidden, foreign) and symbolic links are skipped, counted and logged. While
// compaction goes on, the list holds either the segments that it merges or the
// merged one, never both and never neither.
func (t *Tree) Segments(ctx context.Context, f schema.Filter) ([]Segment, error) {
	listing, err := t.List(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.name, err)
	}

	if len(listing.Strays) > 0 {
		t.log.Warn("files that are no segments were skipped", "files", len(listing.Strays), "first", listing.Strays[0])
	}
	return listing.Segments, nil
}

// Listing is everything in the folders that a filter selects.
type Listing struct {
	Segments []Segment // that count, sorted by Path
	Hidden   []Segment // replaced by a merged one beside them
	Strays   []string  // that are no segments
}

// List is Segments with what else there is.
func (t *Tree) List(ctx context.Context, f schema.Filter) (Listing, error) {
	w := walk{t: t, f: f}
	err := w.all(ctx)
	slices.SortFunc(w.Segments, func(a, b Segment) int { return strings.Compare(a.Path, b.Path) })
	return w.Listing, err
}

// walk is one pruned listing.
type walk struct {
	t *Tree
	f schema.Filter
	Listing
}

// all lists the whole tree.
func (w *walk) all(ctx context.Context) error {
	// The predecessor's tree has no folder above the partitions.
	top := "."
	if w.t.data {
		top = PublishedDir
	}
	if err := w.dir(ctx, top, 0, Segment{}); err != nil {
		return err
	}

	// Columns after rows: see columns.go.
	if err := w.columns(ctx, top); err != nil {
		return err
	}

	// Quarantine is a tree of its own.
	if !w.f.IncludeQuarantined {
		return nil
	}
	if w.t.data {
		return w.classes(ctx)
	}

	// The predecessor had invalid/ beside the reasons, without classes.
	return w.dir(ctx, QuarantineDir, 0, Segment{Quarantined: true})
}

// classes lists the quarantine of a data folder, a partition tree for each class.
func (w *walk) classes(ctx context.Context) error {
	classes, err := w.t.files.List(ctx, QuarantineDir)
	if err != nil {
		return err
	}

	for _, class := range classes {
		name := path.Join(QuarantineDir, class.Name)
		if !class.Dir {
			w.Strays = append(w.Strays, name)
			continue
		}

		if err := w.dir(ctx, name, 0, Segment{Quarantined: true, Class: class.Name}); err != nil {
			return err
		}
	}
	return nil
}

// dir lists one folder at a level of the tree; s has the dimensions above it.
func (w *walk) dir(ctx context.Context, dir string, level int, s Segment) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if level == schema.FolderDims {
		return w.leaf(ctx, dir, s)
	}

	entries, err := w.t.files.List(ctx, dir)
	if err != nil {
		return err
	}

	// s is a copy, so each folder below gets the dimensions of its own path.
	for _, entry := range entries {
		switch {
		case level == 0 && !s.Quarantined && entry.Regular && isColumnsName(entry.Name):
			// A segment of several partitions: see columns.
		case !entry.Dir || entry.Name[0] == '.':
			w.Strays = append(w.Strays, path.Join(dir, entry.Name))
		case level == 0 && !w.t.data && entry.Name == QuarantineDir:
			// Not a reason: see all.
		case w.f.Matches(level, schema.ValueOfName(entry.Name)):
			s.Dims[level] = schema.ValueOfName(entry.Name)
			if err := w.dir(ctx, path.Join(dir, entry.Name), level+1, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaf lists a folder of segments.
func (w *walk) leaf(ctx context.Context, dir string, s Segment) error {
	for {
		found, err := w.tryLeaf(ctx, dir, s)
		// Compaction replaced a segment between its listing and its reading.
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}

		w.Segments = append(w.Segments, found.Segments...)
		w.Hidden = append(w.Hidden, found.Hidden...)
		w.Strays = append(w.Strays, found.Strays...)
		return nil
	}
}

// tryLeaf lists a folder of segments once.
func (w *walk) tryLeaf(ctx context.Context, dir string, s Segment) (found Listing, err error) {
	entries, err := w.settled(ctx, dir)
	if err != nil {
		return found, err
	}

	groups := map[string][]Segment{}
	for _, entry := range entries {
		seg := s
		switch {
		case !entry.Regular || !seg.parseSegmentName(entry.Name):
			found.Strays = append(found.Strays, path.Join(dir, entry.Name))
		case !w.selectsFile(seg.Dims):
		case entry.Size == 0 && seg.ext == "lzma":
			// The predecessor's placeholder of an exported file.
		default:
			seg.Path = path.Join(dir, entry.Name)
			seg.Size = entry.Size
			key := seg.Group()
			groups[key] = append(groups[key], seg)
		}
	}

	// Merged segments replace others of their partition only.
	for _, group := range groups {
		visible, hidden, err := w.t.resolve(group)
		if err != nil {
			return found, err
		}
		found.Segments = append(found.Segments, visible...)
		found.Hidden = append(found.Hidden, hidden...)
	}
	return found, nil
}

// selectsFile says whether the filter selects the dimensions in the file name; those
// above were compared by dir.
func (w *walk) selectsFile(d schema.Dims) bool {
	for dim := schema.FolderDims; dim < schema.NumDims; dim++ {
		if !w.f.Matches(dim, d[dim]) {
			return false
		}
	}
	return true
}

// settled lists a folder until two listings in a row agree. One listing is not
// atomic: while compaction replaces A by M it can miss both.
//
//	listing     reads the place of M: nothing there yet
//	compaction  adds M, and then removes A
//	listing     reads the place of A: nothing there any more
//
// M was added before that listing ended, so the next listing has it, and they differ.
// A listing with both is harmless: the trailer of M names what it replaces.
func (w *walk) settled(ctx context.Context, dir string) ([]backend.Entry, error) {
	entries, err := w.t.files.List(ctx, dir)
	if err != nil {
		return nil, err
	}

	for {
		again, err := w.t.files.List(ctx, dir)
		if err != nil {
			return nil, err
		}
		if slices.Equal(entries, again) {
			return entries, nil
		}

		entries = again
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// resolve splits the segments of one partition into those that count and those
// that a merged segment among them replaces.
func (t *Tree) resolve(group []Segment) (visible, hidden []Segment, err error) {
	// The usual case costs no read.
	if len(group) == 1 {
		return group, nil, nil
	}

	replaced := map[string]bool{}
	for _, seg := range group {
		if !seg.Merged() {
			continue
		}

		file, ix, err := t.Index(seg)
		if IsDamage(err) {
			continue // reading the segment returns the error
		}
		if err != nil {
			return nil, nil, err
		}
		file.Close()
		for _, unique := range ix.Replaces {
			replaced[unique] = true
		}
	}

	// A merged segment may itself be replaced by one that was merged later.
	for _, seg := range group {
		if replaced[seg.Unique] {
			hidden = append(hidden, seg)
		} else {
			visible = append(visible, seg)
		}
	}
	return visible, hidden, nil
}
