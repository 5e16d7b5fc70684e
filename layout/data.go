package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/limit"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Data is a server's data folder, open for writing. It is safe for concurrent
// use, by several processes too.
type Data struct {
	dir    string
	folder backend.Folder
	schema *schema.Schema
	// deletions are the kinds of deletion requests.
	deletions *forget.Table
	log       *slog.Logger
	forgotten forgottenCache
	// indexes are those of published segments in columns that writers looked into.
	indexes columnIndexes
	// repeats is the index of received submissions; nil: DropRepeats was not called.
	repeats *dedup.Repeats
	// limits is the index of partitions that were admitted; nil: LimitPartitions was not
	// called, or sets no limit.
	limits        *limit.Index
	maxPartitions limit.Limit
	maxTypes      limit.Limit
}

// OpenData opens a data folder and makes what is missing: the folder itself,
// raw/, published/, invalid/ and state/. The schema is read once; an error in
// the schema file wraps ErrSchema. The caller closes the Data.
func OpenData(dir string) (*Data, error) { return OpenDataWith(dir, nil) }

// OpenDataWith is OpenData with a hook that runs before each change of the folder,
// also before those of the opening; for tests.
func OpenDataWith(dir string, hook backend.Hook) (*Data, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}

	// All further access goes through the root, which follows no link out of it.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}

	data := &Data{dir: dir, log: slog.New(slog.DiscardHandler), folder: backend.Folder{Disk: backend.Disk{Root: root, Hook: hook}}}
	data.folder.Superseded = data.superseded
	if err := data.prepare(); err != nil {
		root.Close()
		return nil, fmt.Errorf("open data folder %s: %w", dir, err)
	}
	return data, nil
}

// prepare makes the folders that are missing, and reads the schema.
func (d *Data) prepare() error {
	// Half of a backup is no data folder.
	if _, err := d.folder.Root.Lstat(RestoringFile); err == nil {
		return fmt.Errorf("%s says that a restore has not ended: run tmserver restore again", RestoringFile)
	}

	touched := map[string]bool{}
	for _, name := range []string{RawDir, PublishedDir, QuarantineDir, StagingDir} {
		if err := d.requireNoLink(name); err != nil {
			return err
		}
		if err := d.folder.MkdirAll(name, touched); err != nil {
			return err
		}
	}

	// What is renamed into a folder is durable only if the folder is.
	if err := d.folder.SyncDirs(touched); err != nil {
		return err
	}
	if err := d.requireOneFileSystem(); err != nil {
		return err
	}

	var err error
	d.schema, err = d.readSchema()
	if err != nil {
		return fmt.Errorf("%s: %w", SchemaFile, err)
	}
	d.deletions, err = d.readDeletions()
	if err != nil {
		return fmt.Errorf("%s: %w", DeletionFile, err)
	}
	return nil
}

func (d *Data) readSchema() (*schema.Schema, error) {
	doc, err := d.folder.Root.ReadFile(SchemaFile)
	// A data folder needs no schema file.
	if errors.Is(err, fs.ErrNotExist) {
		return schema.Default(), nil
	}
	if err != nil {
		return nil, err
	}
	return schema.ParseSchema(doc)
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
	if d.folder.Remote != nil {
		return BlobTree(d.folder.Remote)
	}

	return d.localTree()
}

// LocalTree is the folder's records on this machine, quarantined ones at least.
func (d *Data) LocalTree() *Tree { return d.localTree() }

func (d *Data) localTree() *Tree { return newTree(d.dir, localBackend(d.folder.Root, true), true) }

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

	remote, err := backend.OpenBlob(name)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", name, err)
	}

	d.folder.Remote = remote
	d.folder.RemoteDir = PublishedDir
	return nil
}

// Folder is where the files of the data folder change, for packages that maintain
// them.
func (d *Data) Folder() *backend.Folder { return &d.folder }

// LogTo sets the log for what needs no action at once, such as a helper file that was
// damaged and is made anew. Call it right after OpenData; without it, nothing is logged.
func (d *Data) LogTo(log *slog.Logger) {
	d.log = log
	d.folder.Log = log
}

// Log is the log that LogTo set.
func (d *Data) Log() *slog.Logger { return d.log }

// DropRepeats makes Writers recognise, by Writer.Repeated, a submission that was
// received at most so many days before or after, in any raw log. Call it before the first NewWriter; 0 days
// (the default) recognises nothing. While another process has a Writer, NewWriter
// then waits, a minute at most.
func (d *Data) DropRepeats(days int) {
	d.repeats = nil
	if days > 0 {
		d.repeats = dedup.NewRepeats(d.Root(), RepeatsFile, days, d.log)
	}
}

// LimitPartitions bounds how many new partitions a raw log may make for each day of
// receipt, in published/ and in each class of the quarantine, and all raw logs together.
// Records beyond it are published in schema.Overflow's partition. Call it before the first
// NewWriter; the zero Limit (the default) bounds nothing.
//
// The types of namespaces (schema.Schema.IsNamespace) have a limit of their own. Records of
// those beyond it have OTHER as application and reason.
func (d *Data) LimitPartitions(l, types limit.Limit) {
	d.limits, d.maxPartitions, d.maxTypes = nil, l, types
	if !l.None() || !types.None() {
		d.limits = limit.NewIndex(d.Root(), LimitsFile, d.log)
	}
}

// Lock locks the segments against compaction, retention, repair and others that
// replace them, and finishes what a former holder committed. An error wraps ErrBusy.
// The caller closes the result, which unlocks.
func (d *Data) Lock() (io.Closer, error) { return d.folder.Stage(CompactDir) }

// Recover finishes every committed publication that a crash interrupted and
// drops the staging of every uncommitted one. What a live process holds is left
// alone. Run it before raw logs are listed. A publication that can be neither finished
// nor made again is a *CorruptError, which names its files; it stays as it is.
func (d *Data) Recover(ctx context.Context) error {
	staging, err := d.folder.List(StagingDir)
	if err != nil {
		return err
	}

	var dirs []string
	for _, entry := range staging {
		dirs = append(dirs, path.Join(StagingDir, entry.Name()))
	}
	if err := d.folder.Recover(ctx, dirs...); err != nil {
		return err
	}

	// Compaction stages in a folder of its own. Segments that it lacks may become of the
	// raw logs that are there; then the next compaction finds them.
	err = d.folder.Recover(ctx, CompactDir)
	if !IsDamage(err) {
		return err
	}
	raw, listErr := d.folder.List(RawDir)
	if listErr != nil || len(raw) == 0 {
		return errors.Join(err, listErr)
	}
	d.log.Warn("a compaction that was interrupted waits until the raw logs are converted", "err", err)
	return nil
}
