package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/layout"
)

// workDir holds the links and copies of a backup at work, which is its lock too.
const workDir = layout.StateDir + "/backup"

// Options tune a Backup.
type Options struct {
	// Whole returns how many bytes of a raw log, from its start, are whole entries, if it
	// is still written. Needed: package layout does not know the format of raw logs.
	Whole func(name string, content io.Reader) (int64, error)
	// Log hears of what is left out; nil: nothing does.
	Log *slog.Logger
	// Now is the time that the snapshot gets; zero: the clock's.
	Now time.Time
}

// Done is what a Backup did.
type Done struct {
	Snapshot string // its name
	Files    int
	Bytes    int64 // of all files
	Copied   int   // files whose content was new
	New      int64 // their bytes
	// LeftOut are the helper files that another process had open all the time.
	LeftOut []string
}

// Backup copies a data folder into a repository, beside a running server, and returns
// what it did. Every submission that was acknowledged before it began is in the snapshot.
// Segments in an object store (--publish-to) are not part of the data folder. An error
// wraps layout.ErrBusy while another backup of the folder is at work.
func (r *Repository) Backup(ctx context.Context, data *layout.Data, o Options) (_ Done, err error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}

	// What a crash left of another backup goes; while the lock is held, links stay.
	lock, err := data.Folder().Stage(workDir)
	if err != nil {
		return Done{}, fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, data.Folder().Unstage(workDir), lock.Close()) }()

	c := &copier{r: r, data: data, o: o, known: map[string]File{}}
	if err := c.loadPrevious(ctx); err != nil {
		return Done{}, err
	}
	if err := c.all(ctx); err != nil {
		return c.done, fmt.Errorf("backup: %w", err)
	}

	slices.SortFunc(c.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	snapshot := &Snapshot{Time: o.Now.UTC(), Files: c.files}
	c.done.Files = len(c.files)
	c.done.Bytes = snapshot.Bytes()
	c.done.Snapshot, err = r.add(ctx, snapshot)
	return c.done, err
}

// copier is a Backup at work.
type copier struct {
	r     *Repository
	data  *layout.Data
	o     Options
	known map[string]File // of the snapshot before, by path

	mu    sync.Mutex // protects what follows
	files []File
	done  Done
}

// loadPrevious reads the newest snapshot. One that is damaged only costs time.
func (c *copier) loadPrevious(ctx context.Context) error {
	names, err := c.r.Snapshots(ctx)
	if err != nil || len(names) == 0 {
		return err
	}

	newest := names[len(names)-1]
	previous, err := c.r.Load(ctx, newest)
	if layout.IsDamage(err) {
		c.o.Log.Warn("the newest snapshot is damaged; everything is read again", "snapshot", newest, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range previous.Files {
		c.known[file.Path] = file
	}
	return nil
}

// all copies everything, in the order that doc.go explains.
func (c *copier) all(ctx context.Context) error {
	links, err := c.linkRawLogs()
	if err != nil {
		return err
	}
	if err := c.each(ctx, links, c.rawLog); err != nil {
		return err
	}

	// The quarantine first: a replay moves from there to the segments.
	for _, top := range []string{layout.QuarantineDir, layout.PublishedDir} {
		if err := c.segments(ctx, top); err != nil {
			return err
		}
	}

	// Statistics move from files into the database, so that comes last.
	for _, top := range []string{layout.DamagedDir, layout.RevisionCacheDir, layout.StatisticsDir} {
		if err := c.tree(ctx, top); err != nil {
			return err
		}
	}
	if err := c.databases(ctx); err != nil {
		return err
	}
	for _, name := range []string{layout.SchemaFile, layout.DeletionFile} {
		if err := c.plain(ctx, name); err != nil {
			return err
		}
	}

	// Last, so that no record is in the snapshot whose client was to be forgotten then.
	return c.segments(ctx, layout.ForgottenDir)
}

// each copies files, several at a time. One that is gone by now is left out.
func (c *copier) each(ctx context.Context, names []string, do func(context.Context, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelFiles)
	for _, name := range names {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(ctx, name)
		})
	}
	return group.Wait()
}

// tree copies the files below a folder. Databases are copied by themselves.
func (c *copier) tree(ctx context.Context, top string) error {
	names, err := c.list(top)
	if err != nil {
		return err
	}

	names = slices.DeleteFunc(names, func(name string) bool {
		return strings.HasSuffix(name, databaseSuffix) || strings.HasSuffix(name, databaseSuffix+".pid")
	})
	return c.each(ctx, names, c.plain)
}

// list returns the files below a folder; links and what else is no file are left out.
func (c *copier) list(top string) (names []string, err error) {
	err = fs.WalkDir(c.data.Root().FS(), top, func(name string, entry fs.DirEntry, err error) error {
		// A folder that became empty may be removed on the way.
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// segments copies the segments below published/ or invalid/. One that compaction
// replaced meanwhile is in another one, which a new listing has.
func (c *copier) segments(ctx context.Context, top string) error {
	var copied []string
	for {
		names, err := c.list(top)
		if err != nil {
			return err
		}
		slices.Sort(names)

		// Until a listing has nothing new: a listing beside a change may miss both of them.
		fresh := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			_, found := slices.BinarySearch(copied, name)
			return found
		})
		if len(fresh) == 0 {
			return nil
		}
		if err := c.each(ctx, fresh, c.unchanging); err != nil {
			return err
		}
		copied = names
	}
}

// unchanging copies a file whose content is never changed: with the size and time of
// the snapshot before, it is not read.
func (c *copier) unchanging(ctx context.Context, name string) error {
	info, err := c.data.Root().Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}

	known, ok := c.known[name]
	if !ok || known.Bytes != info.Size() || !known.Modified.Equal(info.ModTime()) {
		return c.plain(ctx, name)
	}
	stored, err := c.r.has(ctx, known)
	if err != nil || !stored {
		return errors.Join(err, c.plain(ctx, name))
	}
	c.add(known, false)
	return nil
}

// plain copies a file.
func (c *copier) plain(ctx context.Context, name string) error {
	return c.copy(ctx, name, name, -1)
}

// maxCopies is how often a file is read that changes while it is read.
const maxCopies = 5

// copy stores the content of a file, its first so many bytes (negative: all of it), as
// the file of that path.
func (c *copier) copy(ctx context.Context, from, as string, bytes int64) error {
	for try := 1; ; try++ {
		err := c.copyOnce(ctx, from, as, bytes)
		if !errors.Is(err, errChanged) || try == maxCopies {
			return err
		}
	}
}

// copyOnce is copy; its error wraps errChanged if the file has changed meanwhile.
func (c *copier) copyOnce(ctx context.Context, from, as string, bytes int64) error {
	file, err := c.data.Root().Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()

	info, err := file.Stat()
	if err != nil {
		return err
	}
	if bytes < 0 {
		bytes = info.Size()
	}

	// Read once for its name, and once more if that is new.
	sum, read, err := sumOf(io.NewSectionReader(file, 0, bytes))
	if err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	f := File{Path: as, Bytes: read, SHA256: sum, Modified: info.ModTime()}
	stored, err := c.r.has(ctx, f)
	if err == nil && !stored {
		err = c.r.put(ctx, f, func() (io.ReadCloser, error) {
			return io.NopCloser(&checked{r: io.NewSectionReader(file, 0, read), sum: sha256.New(), want: sum}), nil
		})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}

	c.add(f, !stored)
	return nil
}

// errChanged says that a file is not what it was when it was read before.
var errChanged = errors.New("the file changes while it is copied")

// checked is a reader whose end is an error that wraps errChanged unless the bytes before
// have the SHA-256 that they should have: else an object would have another content than
// its name says.
type checked struct {
	r    io.Reader
	sum  hash.Hash
	want string // in hex digits
}

// Read implements io.Reader.
func (c *checked) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.sum.Write(b[:n])
	if err == io.EOF && hex.EncodeToString(c.sum.Sum(nil)) != c.want {
		err = errChanged
	}
	return n, err
}

// sumOf reads to the end and returns the SHA-256 in hex digits, and the bytes read.
func sumOf(r io.Reader) (sum string, bytes int64, err error) {
	hash := sha256.New()
	bytes, err = io.Copy(hash, r)
	return hex.EncodeToString(hash.Sum(nil)), bytes, err
}

// add adds a file to the snapshot.
func (c *copier) add(f File, isNew bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.files = append(c.files, f)
	if isNew {
		c.done.Copied++
		c.done.New += f.Bytes
	}
}

// rawLog copies a raw log from its second link.
func (c *copier) rawLog(ctx context.Context, link string) error {
	name := strings.TrimPrefix(path.Base(link), rawLink)
	as := path.Join(layout.RawDir, name)
	if strings.HasSuffix(name, layout.FinishedSuffix) {
		return c.copy(ctx, link, as, -1)
	}

	// One that is still written is copied here first: entries are added while it is read,
	// and when it is finished its head changes.
	still := path.Join(workDir, "copy."+name)
	bytes, err := c.whole(name, link, still)
	if err != nil {
		return fmt.Errorf("read raw log %s: %w", name, err)
	}
	return errors.Join(c.copy(ctx, still, as, bytes), c.data.Folder().Remove(still))
}

// whole copies a raw log from its start to its end, and returns how many bytes of that
// are whole entries.
func (c *copier) whole(name, link, still string) (int64, error) {
	file, err := c.data.Root().Open(link)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{c.data.Folder().Appender(still)}, file, make([]byte, 1<<20)); err != nil {
		return 0, err
	}

	copied, err := c.data.Root().Open(still)
	if err != nil {
		return 0, err
	}
	defer copied.Close()
	return c.o.Whole(name, copied)
}
