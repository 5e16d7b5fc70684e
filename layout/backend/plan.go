package backend

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/segment"
)

// Identity is what tells the content of one file from that of another.
type Identity struct {
	Bytes int64  `json:"bytes"`
	CRC   uint32 `json:"crc"` // CRC32C
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Identify reads a file and returns its Identity. The error wraps fs.ErrNotExist if
// there is none.
func (d *Disk) Identify(name string) (Identity, error) {
	file, err := d.Root.Open(name)
	if err != nil {
		return Identity{}, err
	}
	defer file.Close()

	sum := crc32.New(castagnoli)
	bytes, err := io.Copy(sum, file)
	return Identity{Bytes: bytes, CRC: sum.Sum32()}, err
}

// identify sets what a commit says of its files.
func (d *Folder) identify(dir string, c *Commit) error {
	c.Files = map[string]Identity{}
	c.Over = map[string]Identity{}
	for _, move := range c.Rename {
		var err error
		if c.Files[move[0]], err = d.Identify(path.Join(dir, move[0])); err != nil {
			return err
		}

		// Few files take the place of another one. What an object store has under a name is
		// not asked for: stepOf takes it for something that may be replaced.
		if d.isRemote(move[1], *c) {
			continue
		}
		over, err := d.Identify(move[1])
		if err == nil {
			c.Over[move[1]] = over
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// step is how far one rename of a commit has come.
type step int

const (
	stepReady    step = iota // the staged file is there
	stepDone                 // its place has it, or what came after it
	stepMissing              // it is neither staged nor in its place
	stepConflict             // its place has something else, which the commit did not know
)

// plan returns the steps of a commit that can be done. In a folder that is one, because
// only this program wrote it, that is all of them. It is not if files were copied there
// that belong to different times: a backup made while the commit went on, an older copy
// of state/ or of raw/.
//
//	staged  its place           then
//	yes     nothing             rename
//	yes     the same, or what it replaces
//	                            rename
//	no      the same, or its successor (Superseded)
//	                            it was done before
//	no      nothing             it is missing
//	any     anything else       a conflict: one of them may hold more
//
// While the raw log is there, what is missing can be made again: the rest is published,
// nothing is removed, and the next conversion publishes what is not. The same holds for
// a compaction whose segments are all there. Else nobody can decide: the
// *segment.CorruptError names the files, and nothing is changed.
func (d *Folder) plan(dir string, c Commit) (Commit, error) {
	feasible := c
	feasible.Rename = nil
	var missing, conflicts []string
	for _, move := range c.Rename {
		state, err := d.stepOf(dir, move, c)
		if err != nil {
			return c, err
		}

		switch state {
		case stepReady:
			feasible.Rename = append(feasible.Rename, move)
		case stepMissing:
			missing = append(missing, move[1])
		case stepConflict:
			conflicts = append(conflicts, move[1])
		}
	}

	// A raw log that is not the one that was converted stays in any case.
	unchanged := true
	for name, was := range c.Sources {
		is, err := d.Identify(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
		if err == nil && is != was {
			feasible.Remove = slices.DeleteFunc(slices.Clone(feasible.Remove), func(s string) bool { return s == name })
			feasible.Retire = slices.DeleteFunc(slices.Clone(feasible.Retire), func(m [2]string) bool { return m[0] == name })
		}
		unchanged = unchanged && err == nil && is == was
	}
	if len(missing)+len(conflicts) == 0 {
		return feasible, nil
	}

	gone, err := d.goneSources(c)
	if err != nil {
		return c, err
	}
	if gone != "" || len(conflicts) > 0 && !unchanged {
		return c, undecided(dir, c, missing, conflicts, gone)
	}

	feasible.Retire, feasible.Remove = nil, nil
	if d.Log != nil {
		d.Log.Warn("a publication was copied while it went on; nothing is removed, and what is missing is made again",
			"publication", c.Source, "files", len(c.Rename), "missing", len(missing)+len(conflicts), "first", slices.Concat(missing, conflicts)[0])
	}
	return feasible, nil
}

// stepOf returns how far a rename has come.
func (d *Folder) stepOf(dir string, move [2]string, c Commit) (step, error) {
	want, known := c.Files[move[0]]
	staged, stagedErr := d.Identify(path.Join(dir, move[0]))
	if stagedErr != nil && !errors.Is(stagedErr, fs.ErrNotExist) {
		return 0, stagedErr
	}
	target, targetErr := d.identifyFinal(move[1], c)
	if targetErr != nil && !errors.Is(targetErr, fs.ErrNotExist) {
		return 0, targetErr
	}

	// A staged file that was copied before it was complete is no staged file.
	isStaged := stagedErr == nil && (!known || staged == want)
	isThere := targetErr == nil
	isOurs := isThere && (!known || target == want || target == Identity{Bytes: want.Bytes})

	switch {
	case isOurs && !isStaged:
		return stepDone, nil
	case isThere && !isOurs && target != c.Over[move[1]] && !(isStaged && d.isRemote(move[1], c)):
		return stepConflict, nil
	case isStaged:
		return stepReady, nil
	}

	// What it should have replaced does not count as it.
	if d.Superseded != nil && !isThere {
		superseded, err := d.Superseded(move[1])
		if err != nil || superseded {
			return stepDone, err
		}
	}
	return stepMissing, nil
}

// identifyFinal returns the Identity of what is in a final path. Of an object only the
// size is known; its CRC is 0.
func (d *Folder) identifyFinal(name string, c Commit) (Identity, error) {
	if !d.isRemote(name, c) {
		return d.Identify(name)
	}

	info, err := d.Remote.stat(context.Background(), name)
	return Identity{Bytes: info.Bytes}, err
}

// isRemote says whether a commit sends a file to the object store.
func (d *Folder) isRemote(name string, c Commit) bool {
	return c.Remote != "" && strings.HasPrefix(name, d.RemoteDir+"/")
}

// goneSources returns the first of the files that the commit would remove, or retire,
// and that is not there any more; "" if all are there. Then nothing that the commit
// was made from is lost.
func (d *Folder) goneSources(c Commit) (string, error) {
	var sources []string
	for name := range c.Sources {
		sources = append(sources, name)
	}
	if len(sources) == 0 {
		sources = slices.Clone(c.Remove)
		for _, move := range c.Retire {
			sources = append(sources, move[0])
		}
	}

	for _, name := range sources {
		_, err := d.Root.Lstat(name)
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}

		superseded := false
		if d.Superseded != nil && len(c.Sources) == 0 {
			if superseded, err = d.Superseded(name); err != nil {
				return "", err
			}
		}
		if !superseded {
			return name, nil
		}
	}
	return "", nil
}

// undecided is the error for a commit that can be neither finished nor given up.
func undecided(dir string, c Commit, missing, conflicts []string, gone string) error {
	text := fmt.Sprintf("the publication of %s cannot be finished, and nothing was changed:", c.Source)
	if len(missing) > 0 {
		text += fmt.Sprintf(" %d of %d files are neither in %s nor in their place (%s);", len(missing), len(c.Rename), dir, someOf(missing))
	}
	if len(conflicts) > 0 {
		text += fmt.Sprintf(" %d have another content in their place (%s);", len(conflicts), someOf(conflicts))
	}

	if gone != "" {
		text += fmt.Sprintf(" %s, from which they were made, is not there;", gone)
	} else {
		text += " the raw log is not the one from which they were made;"
	}
	return &segment.CorruptError{
		Path: path.Join(dir, CommitFile),
		Err:  errors.New(text + " bring back the files from the backup that has them, or move " + dir + " away to go on without them"),
	}
}

// someOf names the first files of a list.
func someOf(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + ", …"
}

// unchanged returns what a commit retires and removes, without those of its sources that
// do not have the size that they had then: a raw log that another copy has replaced since
// is converted by itself.
func (d *Folder) unchanged(c Commit) (retire [][2]string, remove []string, err error) {
	changed := map[string]bool{}
	for name, was := range c.Sources {
		info, err := d.Root.Lstat(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		changed[name] = err == nil && info.Size() != was.Bytes
	}

	for _, move := range c.Retire {
		if !changed[move[0]] {
			retire = append(retire, move)
		}
	}
	for _, name := range c.Remove {
		if !changed[name] {
			remove = append(remove, name)
		}
	}
	return retire, remove, nil
}
