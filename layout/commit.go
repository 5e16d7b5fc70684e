package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
)

const (
	commitFile    = "COMMIT" // in a staging folder; its existence is the commit
	commitVersion = 1
)

// commit is the content of a commit file: what remains to be done, each step of
// which may be repeated. Paths are relative to the data folder.
type commit struct {
	Version int         `json:"version"`
	Source  string      `json:"source"`
	Remote  string      `json:"remote,omitempty"` // object store that published/ is in
	Rename  [][2]string `json:"rename"`           // staged file in the same folder, final path
	// When all of that is durable:
	Retire [][2]string `json:"retire,omitempty"` // path, where it goes
	Remove []string    `json:"remove,omitempty"` // paths
}

// writeCommit makes the publication staged in dir irrevocable. The staged files
// themselves are already durable.
func (d *Data) writeCommit(dir string, c commit) error {
	if d.remote != nil {
		c.Remote = d.remote.url
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	tmp := path.Join(dir, commitFile+".tmp")
	if err := d.disk.append(tmp, b); err != nil {
		return err
	}
	if err := d.disk.sync(tmp); err != nil {
		return err
	}
	// The entries of the staged files and of their folder come before the commit.
	if err := d.disk.syncDir(dir); err != nil {
		return err
	}
	if err := d.disk.syncDir(path.Dir(dir)); err != nil {
		return err
	}
	if err := d.disk.rename(tmp, path.Join(dir, commitFile)); err != nil {
		return err
	}
	return d.disk.syncDir(dir)
}

// settle finishes what was committed in the staging folder, or else drops it,
// and leaves the folder empty. The caller holds its lock.
func (d *Data) settle(dir string) error {
	b, err := d.root.ReadFile(path.Join(dir, commitFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		var c commit
		if err := json.Unmarshal(b, &c); err != nil {
			return &CorruptError{Path: path.Join(dir, commitFile), Err: err}
		}
		if c.Version != commitVersion {
			return fmt.Errorf("%s: unknown version %d", path.Join(dir, commitFile), c.Version)
		}
		if err := d.rollForward(dir, c); err != nil {
			return err
		}
	}
	return d.empty(dir)
}

// rollForward does the steps of a commit in their order. A step whose source is
// gone was done before.
func (d *Data) rollForward(dir string, c commit) error {
	publish := make([][2]string, len(c.Rename))
	for i, r := range c.Rename {
		publish[i] = [2]string{path.Join(dir, r[0]), r[1]}
	}
	if c.Remote != "" {
		if d.remote == nil || d.remote.url != c.Remote {
			return fmt.Errorf("%s is being published to %s; that must be finished first", c.Source, c.Remote)
		}
		var err error
		if publish, err = d.uploadAll(publish); err != nil {
			return err
		}
	}
	if err := d.moveAll(publish); err != nil {
		return err
	}
	if err := d.moveAll(c.Retire); err != nil {
		return err
	}
	touched := map[string]bool{}
	for _, name := range c.Remove {
		if err := d.disk.remove(name); err != nil {
			return err
		}
		touched[path.Dir(name)] = true
	}
	return d.syncDirs(touched)
}

// moveAll renames files that are still there and makes that durable in the
// folders they come to. (That they left their old folder need not be: moving
// them again, or seeing them in both, does no harm.)
func (d *Data) moveAll(moves [][2]string) error {
	touched := map[string]bool{}
	for _, m := range moves {
		to := path.Dir(m[1])
		touched[to] = true
		for {
			if err := d.disk.mkdirAll(to, touched); err != nil {
				return err
			}
			err := d.disk.rename(m[0], m[1])
			if err == nil {
				break
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if _, err := d.root.Lstat(m[0]); errors.Is(err, fs.ErrNotExist) {
				break // moved before
			} // else retention removed the empty folder as we came
		}
	}
	return d.syncDirs(touched)
}

func (d *Data) syncDirs(names map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		err := d.disk.syncDir(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// empty empties a staging folder, the commit file first, so that a crash in
// between leaves either a commit that can be repeated or leftovers.
func (d *Data) empty(dir string) error {
	if err := d.disk.remove(path.Join(dir, commitFile)); err != nil {
		return err
	}
	es, err := d.disk.list(dir)
	if err != nil {
		return err
	}
	for _, e := range es {
		if err := d.disk.remove(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// unstage settles the staging folder and removes it.
func (d *Data) unstage(dir string) error {
	if err := d.settle(dir); err != nil {
		return err
	}
	return d.disk.remove(dir)
}

// Recover finishes every committed publication that a crash interrupted and
// drops the staging of every uncommitted one. What a live process holds is left
// alone. Run it before raw logs are listed.
func (d *Data) Recover(ctx context.Context) error {
	es, err := d.disk.list(StagingDir)
	if err != nil {
		return err
	}
	dirs := []string{CompactDir}
	for _, e := range es {
		dirs = append(dirs, path.Join(StagingDir, e.Name()))
	}
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		lock, err := d.disk.lockDir(dir)
		if errors.Is(err, ErrBusy) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = d.unstage(dir)
			lock.Close()
		}
		if err != nil {
			return fmt.Errorf("recover %s: %w", dir, err)
		}
	}
	return nil
}
