package upkeep

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/forget"
)

// Place is a data folder, on this machine or in an object store, that is maintained.
// It is safe for concurrent use: while one call changes it, another returns ErrBusy.
type Place struct {
	tree  *layout.Tree
	site  site
	data  *layout.Data // nil: in an object store
	close func() error
}

// site is how a Place changes.
type site interface {
	// lock locks the place, and finishes what a former holder committed.
	lock(ctx context.Context) (unlock func() error, err error)
	// scratch has an empty layout.CompactDir for segments in the making, while locked.
	scratch() *backend.Disk
	// replace publishes files staged in layout.CompactDir (name there, final path),
	// and then removes those that are gone: at once, or after the grace period.
	replace(ctx context.Context, put [][2]string, gone []string, o CompactOptions) error
	// purge removes what was replaced longer ago than the grace period, unless in a
	// dry run, and returns what is still in the tree and will be removed later.
	purge(ctx context.Context, o CompactOptions) (later map[string]bool, err error)
	// preserve gives a file a second name; the error wraps fs.ErrExist when another file
	// has it.
	preserve(ctx context.Context, name, second string) error
	// move moves files, and removes folders that become empty.
	move(ctx context.Context, moves [][2]string) error
	// remove removes files for good, and folders that become empty.
	remove(ctx context.Context, names []string) error
	// files lists what there is, below layout.TrashDir too.
	files() backend.Backend
	// load reads a small file; the error wraps fs.ErrNotExist without it.
	load(ctx context.Context, name string) ([]byte, error)
	// save replaces a small file, durably.
	save(ctx context.Context, name string, doc []byte) error
}

// In returns the place where the data folder has its published segments. It needs
// no Close.
func In(d *layout.Data) *Place {
	p := &Place{tree: d.Tree(), site: folder{d}, data: d, close: func() error { return nil }}
	if remote := d.Folder().Remote; remote != nil {
		p.site = &bucket{b: remote, local: d.Folder()}
	}

	return p
}

// Here returns the place of the data folder on this machine, where the quarantine is, even if
// segments are published elsewhere. It needs no Close.
func Here(d *layout.Data) *Place {
	return &Place{tree: d.LocalTree(), site: folder{d}, data: d, close: func() error { return nil }}
}

// Open opens a data folder, or one in an object store if name is a URL (see
// backend.IsURL). The caller closes it.
func Open(name string) (*Place, error) { return OpenWith(name, nil) }

// OpenWith is Open with a hook that runs before each change of the data folder, or of
// the folder for scratch files; for tests.
func OpenWith(name string, hook backend.Hook) (*Place, error) {
	if backend.IsURL(name) {
		return openRemote(name, hook)
	}

	data, err := layout.OpenDataWith(name, hook)
	if err != nil {
		return nil, err
	}

	// Unlike In's caller, this one closes the data folder by the Place.
	p := In(data)
	p.close = data.Close
	return p, nil
}

func openRemote(name string, hook backend.Hook) (*Place, error) {
	objects, err := backend.OpenBlob(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}

	// Merged segments are made in a folder of this machine, and then uploaded.
	dir, err := os.MkdirTemp("", "upkeep-")
	if err != nil {
		return nil, errors.Join(err, objects.Close())
	}

	// Scratch files are reached through the root, as those of a data folder are.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir), objects.Close())
	}

	return &Place{
		tree: layout.BlobTree(objects),
		site: &bucket{b: objects, local: &backend.Folder{Disk: backend.Disk{Root: root, Hook: hook}}},
		close: func() error {
			return errors.Join(root.Close(), os.RemoveAll(dir), objects.Close())
		},
	}, nil
}

// Forgotten returns the clients that the place forgets.
func (p *Place) Forgotten(ctx context.Context) (*forget.Set, error) {
	if p.data != nil {
		return p.data.Forgotten(ctx)
	}
	return layout.ReadForgotten(ctx, p.site.files())
}

// Close releases what Open opened.
func (p *Place) Close() error { return p.close() }

// locked runs f with the lock held.
func (p *Place) locked(ctx context.Context, f func() error) (err error) {
	unlock, err := p.site.lock(ctx)
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, unlock()) }()
	return f()
}
