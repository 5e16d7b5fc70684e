package layout

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	if err := w.attachRequests(ctx); err != nil {
		return nil, err
	}

	// Everything that is staged becomes complete and durable.
	parts, err := w.finishParts(ctx)
	if err != nil {
		return nil, err
	}
	parts, err = w.withoutEarlier(ctx, parts)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, p := range parts {
		paths = append(paths, p.final)
	}
	for _, attached := range w.attached {
		if err := attached.finish(paths); err != nil {
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
	for i, p := range parts {
		published[i] = Published{p.final, p.dims, p.quarantined, p.Records, p.RawBytes, p.Size()}
	}

	return published, w.d.folder.UnstageFresh(w.dir)
}

// finishParts makes the staged segments complete and durable, and returns them in the
// order of their final paths.
func (w *Writer) finishParts(ctx context.Context) ([]*part, error) {
	parts := slices.SortedFunc(maps.Values(w.parts), func(a, b *part) int { return strings.Compare(a.final, b.final) })

	// The encoder belongs to this goroutine.
	for _, p := range parts {
		p.Origin = w.origin
		if !p.quarantined {
			p.Clients = p.clients.Text()
		}
		if err := p.Release(); err != nil {
			return nil, err
		}
	}

	// Syncs wait for the disk, so several go on at once.
	var group errgroup.Group
	group.SetLimit(parallelSyncs)
	for _, p := range parts {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.Finish(); err != nil {
				return err
			}
			return w.d.folder.Sync(p.staged)
		})
	}

	return parts, group.Wait()
}

// changes is what the commit does: rename the staged files, and then remove the raw
// log and what is superseded.
func (w *Writer) changes(parts []*part) backend.Commit {
	raw := path.Join(RawDir, w.source)
	commit := backend.Commit{Source: w.source}
	if w.keepAs == "" {
		commit.Remove = []string{raw}
	} else {
		commit.Retire = [][2]string{{raw, w.keepAs}}
	}
	if w.origin.Bytes > 0 {
		commit.Sources = map[string]backend.Identity{raw: {Bytes: w.origin.Bytes, CRC: w.origin.CRC}}
	}
	for _, p := range parts {
		commit.Rename = append(commit.Rename, [2]string{path.Base(p.staged), p.final})
	}
	for _, attached := range w.attached {
		commit.Rename = append(commit.Rename, [2]string{path.Base(attached.staged), attached.final})
	}

	// A superseded file that a segment replaces must not be removed after that.
	for _, name := range w.remove {
		if !slices.ContainsFunc(parts, func(p *part) bool { return p.final == name }) {
			commit.Remove = append(commit.Remove, name)
		}
	}
	return commit
}

// makeIrrevocable records the new partitions and submissions, and writes the commit file.
func (w *Writer) makeIrrevocable(c backend.Commit) error {
	// After a crash between this and the commit, the raw log decides the same again.
	if w.limiter != nil {
		if err := w.limiter.Record(); err != nil {
			return err
		}
	}

	if w.repeats == nil {
		return w.d.folder.Commit(w.dir, c)
	}

	// New submissions are recorded first: if the process dies in between, the raw log is
	// converted again, and does not find its own.
	err := w.repeats.Record()
	if err == nil {
		err = w.d.folder.Commit(w.dir, c)
	}

	// A commit file that was written in spite of the error will be rolled forward.
	if err != nil && !w.d.folder.Committed(w.dir) {
		err = errors.Join(err, w.repeats.Undo())
	}
	return err
}
