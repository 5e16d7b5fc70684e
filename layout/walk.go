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

func (w *walk) all(ctx context.Context) error {
	top := "."
	if w.t.data {
		top = PublishedDir
	}
	if err := w.dir(ctx, top, 0, Segment{}); err != nil {
		return err
	}
	switch {
	case w.f.IncludeQuarantined && w.t.data:
		classes, err := w.t.files.List(ctx, QuarantineDir)
		if err != nil {
			return err
		}
		for _, e := range classes {
			name := path.Join(QuarantineDir, e.Name)
			if !e.Dir {
				w.Strays = append(w.Strays, name)
			} else if err := w.dir(ctx, name, 0, Segment{Quarantined: true, Class: e.Name}); err != nil {
				return err
			}
		}
	case w.f.IncludeQuarantined:
		// The predecessor kept invalid/ beside the reasons, without classes.
		if err := w.dir(ctx, QuarantineDir, 0, Segment{Quarantined: true}); err != nil {
			return err
		}
	}
	return nil
}

// dir lists one folder at a level of the tree; s carries the dimensions above it.
func (w *walk) dir(ctx context.Context, dir string, level int, s Segment) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if level == schema.BuildID {
		return w.leaf(ctx, dir, s)
	}
	es, err := w.t.files.List(ctx, dir)
	if err != nil {
		return err
	}
	for _, e := range es {
		switch {
		case !e.Dir || e.Name[0] == '.':
			w.Strays = append(w.Strays, path.Join(dir, e.Name))
		case level == 0 && !w.t.data && e.Name == QuarantineDir:
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
//
// Compaction first makes the merged segment visible, then removes those that it
// replaces. A listing is not atomic: it can miss the new name, which came behind
// its back, and the old ones, which went before it got there. So the folder is
// listed until two listings in a row agree. Had both missed the merged segment,
// it would have come after the first one ended, and then the first one would
// have the old ones, and so would the second. Having both is harmless: the
// merged segment's trailer names what it replaces.
func (w *walk) leaf(ctx context.Context, dir string, s Segment) error {
	es, err := w.t.files.List(ctx, dir)
	for err == nil {
		var again []backend.Entry
		if again, err = w.t.files.List(ctx, dir); slices.Equal(es, again) {
			break
		}
		es = again
		if err == nil {
			err = ctx.Err()
		}
	}
	if err != nil {
		return err
	}
	groups := map[string][]Segment{}
	var strays []string
	for _, e := range es {
		seg := s
		switch {
		case !e.Regular || !seg.parseSegmentName(e.Name):
			strays = append(strays, path.Join(dir, e.Name))
		case !w.f.Matches(schema.BuildID, seg.Dims[schema.BuildID]), !w.f.Matches(schema.SubmissionDate, seg.Dims[schema.SubmissionDate]):
		case e.Size == 0 && seg.ext == "lzma": // the predecessor's placeholder of an exported file
		default:
			seg.Path, seg.Size = path.Join(dir, e.Name), e.Size
			key := seg.Group()
			groups[key] = append(groups[key], seg)
		}
	}
	var found, hidden []Segment
	for _, g := range groups {
		v, h, err := w.t.resolve(g)
		if errors.Is(err, fs.ErrNotExist) {
			return w.leaf(ctx, dir, s) // compaction came by
		}
		if err != nil {
			return err
		}
		found, hidden = append(found, v...), append(hidden, h...)
	}
	w.Segments, w.Hidden, w.Strays = append(w.Segments, found...), append(w.Hidden, hidden...), append(w.Strays, strays...)
	return nil
}

// resolve splits the segments of one partition into those that count and those
// that a merged segment among them replaces.
func (t *Tree) resolve(g []Segment) (visible, hidden []Segment, err error) {
	if len(g) == 1 {
		return g, nil, nil
	}
	replaced := map[string]bool{}
	for _, s := range g {
		if !s.Merged() {
			continue
		}
		f, ix, err := t.Index(s)
		if IsDamage(err) {
			continue // reading it will fail, and say so
		}
		if err != nil {
			return nil, nil, err
		}
		f.Close()
		for _, u := range ix.Replaces {
			replaced[u] = true
		}
	}
	for _, s := range g {
		if replaced[s.Unique] {
			hidden = append(hidden, s)
		} else {
			visible = append(visible, s)
		}
	}
	return visible, hidden, nil
}
