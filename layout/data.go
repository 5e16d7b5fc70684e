package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Data is a server's data folder, open for writing. It is safe for concurrent
// use, by several processes too.
type Data struct {
	dir    string
	folder backend.Folder
	schema *schema.Schema
	seen   *seen // nil: not wanted
}

// OpenData opens a data folder and makes what is missing: the folder itself,
// raw/, published/, invalid/ and state/. The schema is read once; an error in
// the schema file wraps ErrSchema. The caller closes the Data.
func OpenData(dir string) (*Data, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	d := &Data{dir: dir, folder: backend.Folder{Disk: backend.NewDisk(root)}}
	if err := d.prepare(); err != nil {
		root.Close()
		return nil, fmt.Errorf("open data folder %s: %w", dir, err)
	}
	return d, nil
}

func (d *Data) prepare() error {
	touched := map[string]bool{}
	for _, name := range []string{RawDir, PublishedDir, QuarantineDir, StagingDir} {
		if err := d.folder.MkdirAll(name, touched); err != nil {
			return err
		}
	}
	for name := range touched {
		if err := d.folder.SyncDir(name); err != nil {
			return err
		}
	}
	doc, err := d.folder.Root.ReadFile(SchemaFile)
	if errors.Is(err, fs.ErrNotExist) {
		d.schema = schema.Default()
		return nil
	}
	if err == nil {
		d.schema, err = schema.ParseSchema(doc)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", SchemaFile, err)
	}
	return nil
}

// Root is the folder; every access by a name that came from outside goes
// through it. The caller must not close it.
func (d *Data) Root() *os.Root { return d.folder.Root }

// Dir is the folder's name as it was given to OpenData.
func (d *Data) Dir() string { return d.dir }

// Schema is the folder's dimension schema.
func (d *Data) Schema() *schema.Schema { return d.schema }

// Tree returns the folder's published records, for reading; without the
// quarantined ones if they are published elsewhere. It is valid until the Data is
// closed and need not be closed itself.
func (d *Data) Tree() *Tree {
	if r := d.folder.Remote; r != nil {
		return BlobTree(r)
	}
	return newTree(d.dir, localStore(d.folder.Root, true), true)
}

// Close releases the folder. Writers must have ended.
func (d *Data) Close() error {
	err := d.folder.Root.Close()
	if d.folder.Remote != nil {
		err = errors.Join(err, d.folder.Remote.Close())
	}
	return err
}

// PublishTo makes Commit and Recover send segments to an object store instead of
// published/; quarantine stays here. Call it right after OpenData.
func (d *Data) PublishTo(name string) error {
	if !backend.IsURL(name) {
		return fmt.Errorf("publish to %s: want a URL", name)
	}
	s, err := backend.OpenBlob(name)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", name, err)
	}
	d.folder.Remote, d.folder.RemoteDir = s, PublishedDir
	return nil
}

// Folder is where the files of the data folder change, for who looks after them.
func (d *Data) Folder() *backend.Folder { return &d.folder }

// Lock keeps out compaction, retention, repair and other holders of the lock, and
// finishes what a former one committed: it is for who replaces segments. An error
// wraps ErrBusy. The caller closes it.
func (d *Data) Lock() (io.Closer, error) { return d.folder.Stage(CompactDir) }

// Recover finishes every committed publication that a crash interrupted and
// drops the staging of every uncommitted one. What a live process holds is left
// alone. Run it before raw logs are listed.
func (d *Data) Recover(ctx context.Context) error {
	es, err := d.folder.List(StagingDir)
	if err != nil {
		return err
	}
	dirs := []string{CompactDir}
	for _, e := range es {
		dirs = append(dirs, path.Join(StagingDir, e.Name()))
	}
	return d.folder.Recover(ctx, dirs...)
}
