package upkeep

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/layout/helperfile"
)

// eachStaging calls do with each staging folder that no process holds, locked; with none
// in an object store. do may rename the folder.
func (p *Place) eachStaging(do func(dir string) error) error {
	if p.data == nil {
		return nil
	}

	disk := p.data.Folder()
	entries, err := disk.List(layout.StagingDir)
	if err != nil {
		return err
	}
	dirs := []string{layout.CompactDir}
	for _, entry := range entries {
		dirs = append(dirs, path.Join(layout.StagingDir, entry.Name()))
	}

	for _, dir := range dirs {
		lock, err := disk.Lock(dir)
		// A publication that goes on, or has just ended.
		if errors.Is(err, layout.ErrBusy) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = do(dir)
			lock.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// interrupted returns what is staged and was not finished.
func (p *Place) interrupted() (found []Finding, err error) {
	err = p.eachStaging(func(dir string) error {
		// The folder of compaction is its lock, too: it stays when there is nothing in it.
		folder := p.data.Folder()
		if dir == layout.CompactDir && !folder.Committed(dir) {
			return nil
		}

		err := folder.CheckCommit(dir)
		if err != nil && !layout.IsDamage(err) && !errors.Is(err, layout.ErrNewer) {
			return err
		}
		if err == nil {
			err = errors.New("a publication was interrupted")
		}
		found = append(found, Finding{Path: dir, Err: err})
		return nil
	})
	return found, err
}

// setCommitsAside moves the staging folders whose commit is damaged, or can neither be
// finished nor made again, to state/damaged. What they had published stays. A raw log
// that is still there is converted again; a compaction, a retention or a replay is done
// again by the next one. Only a person can use what else is staged in them.
func (p *Place) setCommitsAside() (found []Finding, err error) {
	err = p.eachStaging(func(dir string) error {
		damage := p.data.Folder().CheckCommit(dir)
		if !layout.IsDamage(damage) {
			if errors.Is(damage, layout.ErrNewer) {
				return damage
			}
			return nil
		}

		aside, err := p.moveToDamaged(dir)
		found = append(found, Finding{Path: dir, Err: damage, Repaired: "the staged files are in " + aside})
		return err
	})
	return found, err
}

// moveToDamaged renames a folder into state/damaged, and returns its path there.
func (p *Place) moveToDamaged(dir string) (aside string, err error) {
	// An earlier folder of the same name stays: the new one gets a number.
	disk := p.data.Folder()
	first := path.Join(layout.DamagedDir, dir)
	aside = first

	for n := 2; ; n++ {
		_, err := disk.Root.Lstat(aside)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return "", err
		}
		aside = fmt.Sprintf("%s.%d", first, n)
	}

	touched := map[string]bool{path.Dir(dir): true, path.Dir(aside): true}
	if err := disk.MkdirAll(path.Dir(aside), touched); err != nil {
		return "", err
	}

	if err := disk.Rename(dir, aside); err != nil {
		return "", err
	}
	return aside, disk.SyncDirs(touched)
}

// checkHelpers checks the index of repeats.
func (p *Place) checkHelpers() (found []Finding, err error) {
	if p.data == nil {
		return nil, nil
	}

	err = dedup.Check(p.data.Root(), layout.RepeatsFile)
	switch {
	case errors.Is(err, helperfile.ErrDamaged):
		err = &layout.CorruptError{Path: layout.RepeatsFile, Err: err}
		return []Finding{{Path: layout.RepeatsFile, Err: err}}, nil
	case errors.Is(err, helperfile.ErrNewer), errors.Is(err, helperfile.ErrInUse):
		return []Finding{{Path: layout.RepeatsFile, Err: err}}, nil
	}
	return nil, err
}
