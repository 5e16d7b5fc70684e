package upkeep

import (
	"context"
	"errors"
	"io/fs"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/forget"
)

// An object store may keep the earlier versions of objects that were replaced or removed.
// Readers never see them, and what is to be forgotten may be in them.

// versionDirs are the folders whose earlier versions have records.
var versionDirs = []string{layout.PublishedDir, layout.QuarantineDir, layout.TrashDir, layout.DamagedDir}

// eachVersionThatHas calls do with the earlier versions that have a record of one of the
// clients; has is false for one that is damaged.
func (p *Place) eachVersionThatHas(ctx context.Context, set *forget.Set, do func(old *backend.Blob, name string, has bool) error) error {
	// A local folder has no earlier versions.
	b, ok := p.site.(*bucket)
	if !ok {
		return nil
	}

	for _, dir := range versionDirs {
		err := b.b.EachVersion(ctx, dir, func(old *backend.Blob, name string) error {
			// A file that was moved is read by the rules of the folder it came from.
			tree := layout.BlobTree(old)
			origin := originOf(name)
			if origin == "" {
				origin = name
			}

			seg, err := tree.FileSegment(name, origin)
			has := false
			if err == nil {
				has, err = tree.Has(seg, set, true)
			}

			// do decides what becomes of a damaged version.
			damaged := layout.IsDamage(err) || errors.Is(err, layout.ErrNewer)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // removed meanwhile
			case damaged:
				return do(old, name, false)
			case has:
				return do(old, name, true)
			}
			return err
		})

		if err != nil {
			return err
		}
	}

	return nil
}

// versions removes the earlier versions of segments that have records of clients that are due.
func (f *forgetting) versions(ctx context.Context) error {
	if !f.all && f.done.Segments == 0 {
		return nil
	}
	return f.p.eachVersionThatHas(ctx, f.o.Due, func(old *backend.Blob, name string, has bool) error {
		if !has {
			return nil
		}
		f.done.Versions++
		return old.Remove(ctx, name)
	})
}

// oldVersions returns the earlier versions of segments that have records of the clients.
func (p *Place) oldVersions(ctx context.Context, set *forget.Set) (left []Left, err error) {
	err = p.eachVersionThatHas(ctx, set, func(_ *backend.Blob, name string, has bool) error {
		why := "has records in an earlier version of the object"
		if !has {
			why = "cannot be read in an earlier version of the object"
		}

		left = append(left, Left{name, why})
		return nil
	})
	return left, err
}
