package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
)

const (
	// CommitFile is in a staging folder; its existence is the commit.
	CommitFile    = "COMMIT"
	commitVersion = 1
)

// Folder is a data folder whose files change all or none: staged in a folder of
// their own, named in a commit file, moved into place. It is safe for concurrent
// use, by several processes too.
type Folder struct {
	Disk
	// Remote is the object store that files below RemoteDir are sent to instead of
	// being moved; nil: none.
	Remote    *Blob
	RemoteDir string

	// Superseded says whether a published file that is gone was replaced, or removed,
	// by what came after it. Nil: never. See plan.
	Superseded func(name string) (bool, error)
	// Log hears of commits that cannot be finished as they were meant. Nil: nothing does.
	Log *slog.Logger
}

// Commit is the content of a commit file: what remains to be done, each step of
// which may be repeated. Paths are relative to the folder.
type Commit struct {
	Version int         `json:"version"`          // set by Folder.Commit
	Source  string      `json:"source"`           // what is published, for messages
	Remote  string      `json:"remote,omitempty"` // URL of Folder.Remote; set by Folder.Commit
	Rename  [][2]string `json:"rename"`           // staged file in the same folder, final path
	// When all of that is durable:
	Retire [][2]string `json:"retire,omitempty"` // path, where it goes
	Remove []string    `json:"remove,omitempty"` // paths

	// Sources are those of Remove from which the staged files were made, and what they
	// were then: one that is something else by now stays.
	Sources map[string]Identity `json:"sources,omitempty"`
	// Files are the staged files, by their names in Rename, and Over what a final path
	// of Rename had before; set by Folder.Commit. A commit file of an earlier version
	// has neither.
	Files map[string]Identity `json:"files,omitempty"`
	Over  map[string]Identity `json:"over,omitempty"`
}

// Stage makes, locks and empties a staging folder, after rolling forward what was
// committed in it. An error wraps ErrBusy while somebody holds the lock, which
// lasts until the result is closed.
func (d *Folder) Stage(dir string) (*os.File, error) {
	for {
		if err := d.MkdirAll(dir, map[string]bool{}); err != nil {
			return nil, err
		}
		lock, err := d.Lock(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its owner removed it as we came
		}
		if err == nil {
			if err = d.Settle(dir); err != nil {
				lock.Close()
			}
		}
		return lock, err
	}
}

// Commit makes the publication staged in dir irrevocable. The staged files
// themselves are already durable.
func (d *Folder) Commit(dir string, c Commit) error {
	c.Version, c.Remote = commitVersion, ""
	if d.Remote != nil {
		c.Remote = d.Remote.url
	}
	if err := d.identify(dir, &c); err != nil {
		return err
	}
	b, err := formatCommit(c)
	if err != nil {
		return err
	}

	// The steps are written under another name first: a name that is COMMIT means that
	// they are whole.
	tmp := path.Join(dir, CommitFile+".tmp")
	if err := d.Append(tmp, b); err != nil {
		return err
	}
	if err := d.Sync(tmp); err != nil {
		return err
	}

	// The entries of the staged files and of their folder come before the commit.
	if err := d.SyncDir(dir); err != nil {
		return err
	}
	if err := d.SyncDir(path.Dir(dir)); err != nil {
		return err
	}

	// Before this rename nothing has happened; after it nothing can stop it.
	if err := d.Rename(tmp, path.Join(dir, CommitFile)); err != nil {
		return err
	}

	return d.SyncDir(dir)
}

// Committed says whether what is staged in dir cannot be stopped any more, or that
// cannot be told.
func (d *Folder) Committed(dir string) bool {
	_, err := d.Root.Lstat(path.Join(dir, CommitFile))

	return !errors.Is(err, fs.ErrNotExist)
}

// Settle finishes what was committed in the staging folder, or else drops it,
// and leaves the folder empty. The caller holds its lock. What cannot be finished, and
// perhaps never was, is a *segment.CorruptError, and nothing is changed; see plan.
func (d *Folder) Settle(dir string) error { return d.settle(dir, false) }

// Finish is Settle right after Commit, by the same holder of the lock: the staged files
// are those that Commit saw, so they are not read again.
func (d *Folder) Finish(dir string) error { return d.settle(dir, true) }

// settle is Settle, or Finish if the staged files are fresh.
func (d *Folder) settle(dir string, fresh bool) error {
	c, ok, err := d.readCommit(dir)
	if ok {
		err = d.finish(dir, c, fresh)
	}
	if err != nil {
		return err
	}

	return d.empty(dir)
}

// finish does the steps of a commit, after a look at which of them can be done.
func (d *Folder) finish(dir string, c Commit, fresh bool) error {
	if c.Remote != "" && (d.Remote == nil || d.Remote.url != c.Remote) {
		return fmt.Errorf("%s is being published to %s; that must be finished first", c.Source, c.Remote)
	}
	if !fresh {
		feasible, err := d.plan(dir, c)
		if err != nil {
			return err
		}
		c = feasible
	}

	return d.rollForward(dir, c)
}

// rollForward does the steps of a commit in their order. A step whose source is
// gone was done before: plan has proved that.
func (d *Folder) rollForward(dir string, c Commit) error {
	// The names of staged files are relative to their folder.
	publish := make([][2]string, len(c.Rename))
	for i, r := range c.Rename {
		publish[i] = [2]string{path.Join(dir, r[0]), r[1]}
	}

	// What goes to an object store is there before anything local moves.
	if c.Remote != "" {
		var err error
		if publish, err = d.uploadAll(publish); err != nil {
			return err
		}
	}

	// New files appear, then those that they replace are set aside, then the sources go.
	if err := d.moveAll(publish); err != nil {
		return err
	}
	retire, remove, err := d.unchanged(c)
	if err != nil {
		return err
	}
	if err := d.moveAll(retire); err != nil {
		return err
	}

	touched := map[string]bool{}
	for _, move := range retire {
		touched[path.Dir(move[0])] = true
	}
	for _, name := range remove {
		if err := d.Remove(name); err != nil {
			return err
		}
		touched[path.Dir(name)] = true
	}

	return d.SyncDirs(touched)
}

// uploadAll sends those of the moves that lead below RemoteDir to the object store and
// returns the others. A file that is gone was sent before.
func (d *Folder) uploadAll(moves [][2]string) (local [][2]string, err error) {
	for _, m := range moves {
		if !strings.HasPrefix(m[1], d.RemoteDir+"/") { // see isRemote
			local = append(local, m)
			continue
		}

		if _, err := d.Root.Lstat(m[0]); errors.Is(err, fs.ErrNotExist) {
			continue
		}

		// The local file goes only when the store has the object.
		if err := d.before(OpRename, m[1]); err != nil {
			return nil, err
		}
		if err := d.Remote.Upload(context.Background(), &d.Disk, m[0], m[1]); err != nil {
			return nil, fmt.Errorf("publish to %s: %w", d.Remote.url, err)
		}
		if err := d.Remove(m[0]); err != nil {
			return nil, err
		}
	}

	return local, nil
}

// moveAll renames files that are still there and makes that durable in the
// folders they come to. (That they left their old folder need not be: moving
// them again, or seeing them in both, does no harm.)
func (d *Folder) moveAll(moves [][2]string) error {
	touched := map[string]bool{}
	for _, m := range moves {
		to := path.Dir(m[1])
		touched[to] = true

		// Retention may remove the folder, which is empty, between the two calls.
		for {
			if err := d.MkdirAll(to, touched); err != nil {
				return err
			}

			err := d.Rename(m[0], m[1])
			if err == nil {
				break
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if _, err := d.Root.Lstat(m[0]); errors.Is(err, fs.ErrNotExist) {
				break // moved before
			}
		}
	}

	return d.SyncDirs(touched)
}

// empty empties a staging folder, the commit file first, so that a crash in
// between leaves either a commit that can be repeated or leftovers.
func (d *Folder) empty(dir string) error {
	if err := d.Remove(path.Join(dir, CommitFile)); err != nil {
		return err
	}
	es, err := d.List(dir)
	if err != nil {
		return err
	}
	for _, e := range es {
		if err := d.Remove(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Unstage settles the staging folder and removes it.
func (d *Folder) Unstage(dir string) error {
	if err := d.Settle(dir); err != nil {
		return err
	}
	return d.Remove(dir)
}

// UnstageFresh is Unstage right after Commit; see Finish.
func (d *Folder) UnstageFresh(dir string) error {
	if err := d.Finish(dir); err != nil {
		return err
	}
	return d.Remove(dir)
}

// Recover finishes or drops what was staged in the folders. What a live process
// holds is left alone.
func (d *Folder) Recover(ctx context.Context, dirs ...string) error {
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		lock, err := d.Lock(dir)
		if errors.Is(err, ErrBusy) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = d.Unstage(dir)
			lock.Close()
		}
		if err != nil {
			return fmt.Errorf("recover %s: %w", dir, err)
		}
	}
	return nil
}
