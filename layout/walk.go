package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Segments lists the segments that the filter selects, sorted by Path. Folders
// that it does not select are not listed. Files that are no segment (temporary,
// hidden, foreign) and symbolic links are skipped, counted and logged. While
// compaction goes on, the list holds either the segments that it merges or the
// merged one, never both and never neither.
func (t *Tree) Segments(ctx context.Context, f Filter) ([]Segment, error) {
	w := walk{t: t, f: f}
	if err := w.all(ctx); err != nil {
		return nil, fmt.Errorf("list %s: %w", t.name, err)
	}
	if len(w.strays) > 0 {
		t.log.Warn("files that are no segments were skipped", "files", len(w.strays), "first", w.strays[0])
	}
	return w.found, nil
}

// walk is one pruned listing.
type walk struct {
	t      *Tree
	f      Filter
	found  []Segment // visible ones, by path when the walk is done
	hidden []Segment // replaced by a merged one beside them
	strays []string
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
	case w.f.IncludeInvalid && w.t.data:
		classes, err := w.t.store.list(ctx, InvalidDir)
		if err != nil {
			return err
		}
		for _, e := range classes {
			name := path.Join(InvalidDir, e.name)
			if !e.dir {
				w.strays = append(w.strays, name)
			} else if err := w.dir(ctx, name, 0, Segment{Invalid: true, Class: e.name}); err != nil {
				return err
			}
		}
	case w.f.IncludeInvalid:
		// The predecessor kept invalid/ beside the reasons, without classes.
		if err := w.dir(ctx, InvalidDir, 0, Segment{Invalid: true}); err != nil {
			return err
		}
	}
	slices.SortFunc(w.found, func(a, b Segment) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// dir lists one folder at a level of the tree; s carries the dimensions above it.
func (w *walk) dir(ctx context.Context, dir string, level int, s Segment) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if level == BuildID {
		return w.leaf(ctx, dir, s)
	}
	es, err := w.t.store.list(ctx, dir)
	if err != nil {
		return err
	}
	for _, e := range es {
		switch {
		case !e.dir || e.name[0] == '.':
			w.strays = append(w.strays, path.Join(dir, e.name))
		case level == 0 && !w.t.data && e.name == InvalidDir:
		case w.f.Matches(level, e.name):
			s.Dims[level] = e.name
			if err := w.dir(ctx, path.Join(dir, e.name), level+1, s); err != nil {
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
	es, err := w.t.store.list(ctx, dir)
	for err == nil {
		var again []entry
		if again, err = w.t.store.list(ctx, dir); slices.Equal(es, again) {
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
		case !e.regular || !seg.parseSegmentName(e.name):
			strays = append(strays, path.Join(dir, e.name))
		case !w.f.Matches(BuildID, seg.Dims[BuildID]), !w.f.Matches(Date, seg.Dims[Date]):
		case e.size == 0 && seg.ext == "lzma": // the predecessor's placeholder of an exported file
		default:
			seg.Path, seg.Size = path.Join(dir, e.name), e.size
			key := seg.group()
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
	w.found, w.hidden, w.strays = append(w.found, found...), append(w.hidden, hidden...), append(w.strays, strays...)
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
		if !s.merged() {
			continue
		}
		f, ix, err := t.index(s)
		if isDamaged(err) {
			continue // reading it will fail, and say so
		}
		if err != nil {
			return nil, nil, err
		}
		f.Close()
		for _, u := range ix.replaces {
			replaced[u] = true
		}
	}
	for _, s := range g {
		if replaced[s.unique] {
			hidden = append(hidden, s)
		} else {
			visible = append(visible, s)
		}
	}
	return visible, hidden, nil
}

func isDamaged(err error) bool {
	_, ok := errors.AsType[*CorruptError](err)
	return ok
}
