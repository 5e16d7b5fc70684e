package layout

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"golang.org/x/sync/errgroup"
)

// parallelSyncs is how many staged files are synced at a time: a sync waits for the
// disk, not for a core.
const parallelSyncs = 8

// Published is one segment that a Commit made visible.
type Published struct {
	Path        string // relative to the data folder
	Dims        schema.Dims
	Quarantined bool
	Records     int64
	RawBytes    int64 // uncompressed
	Bytes       int64 // on disk
}

// Commit publishes everything and removes the raw log of this name from raw/,
// if it is there. When it returns nil all of that is durable. When it fails
// before the commit file is written, nothing was published; afterwards the
// publication is finished by the next NewWriter or Recover. The Writer is
// closed either way. The result is ordered by path.
func (w *Writer) Commit(ctx context.Context) ([]Published, error) {
	if w.err != nil {
		w.Abort()
		return nil, w.err
	}

	published, err := w.commit(ctx)
	if err != nil {
		err = fmt.Errorf("publish %s: %w", w.source, err)
	}
	w.close(errors.New("layout: Writer used after Commit"))
	return published, err
}

func (w *Writer) commit(ctx context.Context) ([]Published, error) {
	parts, err := w.finishParts(ctx)
	if err != nil {
		return nil, err
	}
	parts, err = w.withoutMerged(ctx, parts)
	if err != nil {
		return nil, err
	}
	for _, a := range w.attached {
		if err := a.finish(); err != nil {
			return nil, err
		}
	}

	// Until here the commit can be abandoned.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := w.makeIrrevocable(w.changes(parts)); err != nil {
		return nil, err
	}

	published := make([]Published, len(parts))
	for i, s := range parts {
		published[i] = Published{s.final, s.dims, s.quarantined, s.Records, s.RawBytes, s.Size()}
	}
	return published, w.d.folder.Unstage(w.dir)
}

// finishParts makes the staged segments complete and durable, and returns them in the
// order of their final paths.
func (w *Writer) finishParts(ctx context.Context) ([]*part, error) {
	parts := make([]*part, 0, len(w.parts))
	for _, s := range w.parts {
		parts = append(parts, s)
	}
	slices.SortFunc(parts, func(a, b *part) int { return strings.Compare(a.final, b.final) })

	// The encoder belongs to this goroutine.
	for _, s := range parts {
		if err := s.Release(); err != nil {
			return nil, err
		}
	}

	var group errgroup.Group
	group.SetLimit(parallelSyncs)
	for _, s := range parts {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.Finish(); err != nil {
				return err
			}
			return w.d.folder.Sync(s.staged)
		})
	}
	return parts, group.Wait()
}

// changes is what the commit does: rename the staged files, and then remove the raw
// log and what is superseded.
func (w *Writer) changes(parts []*part) backend.Commit {
	c := backend.Commit{Source: w.source, Remove: []string{path.Join(RawDir, w.source)}}
	for _, s := range parts {
		c.Rename = append(c.Rename, [2]string{path.Base(s.staged), s.final})
	}
	for _, a := range w.attached {
		c.Rename = append(c.Rename, [2]string{path.Base(a.staged), a.final})
	}

	for _, name := range w.remove {
		if !slices.ContainsFunc(parts, func(s *part) bool { return s.final == name }) {
			c.Remove = append(c.Remove, name)
		}
	}
	return c
}

// makeIrrevocable records the new submissions, and writes the commit file.
func (w *Writer) makeIrrevocable(c backend.Commit) error {
	if w.repeats == nil {
		return w.d.folder.Commit(w.dir, c)
	}

	err := w.repeats.Record()
	if err == nil {
		err = w.d.folder.Commit(w.dir, c)
	}
	if err != nil && !w.d.folder.Committed(w.dir) {
		err = errors.Join(err, w.repeats.Undo())
	}
	return err
}
