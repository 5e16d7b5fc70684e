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
	l, err := t.List(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.name, err)
	}
	if len(l.Strays) > 0 {
		t.log.Warn("files that are no segments were skipped", "files", len(l.Strays), "first", l.Strays[0])
	}
	return l.Segments, nil
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
	top := "."
	if w.t.data {
		top = PublishedDir
	}
	if err := w.dir(ctx, top, 0, Segment{}); err != nil {
		return err
	}

	if !w.f.IncludeQuarantined {
		return nil
	}
	if w.t.data {
		return w.classes(ctx)
	}
	// The predecessor kept invalid/ beside the reasons, without classes.
	return w.dir(ctx, QuarantineDir, 0, Segment{Quarantined: true})
}

// classes lists the quarantine of a data folder, a partition tree for each class.
func (w *walk) classes(ctx context.Context) error {
	classes, err := w.t.files.List(ctx, QuarantineDir)
	if err != nil {
		return err
	}

	for _, e := range classes {
		name := path.Join(QuarantineDir, e.Name)
		if !e.Dir {
			w.Strays = append(w.Strays, name)
			continue
		}
		if err := w.dir(ctx, name, 0, Segment{Quarantined: true, Class: e.Name}); err != nil {
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
	for _, e := range entries {
		switch {
		case !e.Dir || e.Name[0] == '.':
			w.Strays = append(w.Strays, path.Join(dir, e.Name))
		case level == 0 && !w.t.data && e.Name == QuarantineDir:
			// Not a reason: see all.
		case w.f.Matches(level, e.Name):
			s.Dims[level] = e.Name
			if err := w.dir(ctx, path.Join(dir, e.Name), level+1, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaf lists a folder of segments.
func (w *walk) leaf(ctx context.Context, dir string, s Segment) error {
	for {
		err := w.tryLeaf(ctx, dir, s)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Compaction replaced a segment between its listing and its reading.
	}
}

func (w *walk) tryLeaf(ctx context.Context, dir string, s Segment) error {
	entries, err := w.settled(ctx, dir)
	if err != nil {
		return err
	}

	groups := map[string][]Segment{}
	var strays []string
	for _, e := range entries {
		seg := s
		switch {
		case !e.Regular || !seg.parseSegmentName(e.Name):
			strays = append(strays, path.Join(dir, e.Name))
		case !w.selectsFile(seg.Dims):
		case e.Size == 0 && seg.ext == "lzma":
			// The predecessor's placeholder of an exported file.
		default:
			seg.Path = path.Join(dir, e.Name)
			seg.Size = e.Size
			key := seg.Group()
			groups[key] = append(groups[key], seg)
		}
	}

	// Only a folder that was read without a race counts.
	var found, hidden []Segment
	for _, group := range groups {
		v, h, err := w.t.resolve(group)
		if err != nil {
			return err
		}
		found = append(found, v...)
		hidden = append(hidden, h...)
	}
	w.Segments = append(w.Segments, found...)
	w.Hidden = append(w.Hidden, hidden...)
	w.Strays = append(w.Strays, strays...)
	return nil
}

// selectsFile says whether the filter selects the dimensions in the file name; those
// above were compared by dir.
func (w *walk) selectsFile(d schema.Dims) bool {
	for i := schema.FolderDims; i < schema.NumDims; i++ {
		if !w.f.Matches(i, d[i]) {
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
	if len(group) == 1 {
		return group, nil, nil
	}

	replaced := map[string]bool{}
	for _, s := range group {
		if !s.Merged() {
			continue
		}
		f, ix, err := t.Index(s)
		if IsDamage(err) {
			continue // reading the segment returns the error
		}
		if err != nil {
			return nil, nil, err
		}
		f.Close()
		for _, unique := range ix.Replaces {
			replaced[unique] = true
		}
	}

	for _, s := range group {
		if replaced[s.Unique] {
			hidden = append(hidden, s)
		} else {
			visible = append(visible, s)
		}
	}
	return visible, hidden, nil
}
