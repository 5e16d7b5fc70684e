package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/layout"
)

// parallelFiles is how many files are copied at a time: each waits for a disk or a
// server.
const parallelFiles = 8

// Verify reads every file of a snapshot back and compares it with its checksum. It goes
// on after damage, and returns the files that are damaged or missing.
func (r *Repository) Verify(ctx context.Context, s *Snapshot) (damaged []error, err error) {
	var mu sync.Mutex // protects damaged
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelFiles)

	for _, file := range s.Files {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}

			err := r.read(file, io.Discard)
			if layout.IsDamage(err) || errors.Is(err, fs.ErrNotExist) {
				mu.Lock()
				defer mu.Unlock()
				damaged = append(damaged, err)
				return nil
			}
			return err
		})
	}
	err = group.Wait()
	return damaged, err
}

// Prune removes all but the newest so many snapshots, at least one, and then the
// contents that none of the others has. It returns how many of both. No backup into the
// same repository may be at work.
func (r *Repository) Prune(ctx context.Context, keep int) (snapshots, objects int, err error) {
	names, err := r.Snapshots(ctx)
	if err != nil || len(names) <= max(keep, 1) {
		return 0, 0, err
	}
	old := names[:len(names)-max(keep, 1)]

	// What the others have stays. One that cannot be read ends it here: nothing is gone yet.
	needed := map[string]bool{}
	for _, name := range names[len(old):] {
		s, err := r.Load(ctx, name)
		if err != nil {
			return 0, 0, err
		}
		for _, file := range s.Files {
			needed[file.object()] = true
		}
	}

	for _, name := range old {
		if err := r.store.Remove(ctx, path.Join(snapshotsDir, name)); err != nil {
			return snapshots, 0, err
		}
		snapshots++
	}

	dirs, err := r.store.List(ctx, objectsDir)
	if err != nil {
		return snapshots, 0, err
	}
	for _, dir := range dirs {
		entries, err := r.store.List(ctx, path.Join(objectsDir, dir.Name))
		if err != nil {
			return snapshots, objects, err
		}
		for _, entry := range entries {
			name := path.Join(objectsDir, dir.Name, entry.Name)
			if needed[name] {
				continue
			}
			if err := r.store.Remove(ctx, name); err != nil {
				return snapshots, objects, err
			}
			objects++
		}
	}
	return snapshots, objects, nil
}
