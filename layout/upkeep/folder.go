package upkeep

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
)

// folder is the site of a data folder of this machine.
type folder struct{ d *layout.Data }

func (s folder) lock(context.Context) (func() error, error) {
	lock, err := s.d.Lock()
	if err != nil {
		return nil, err
	}

	return lock.Close, nil
}

func (s folder) scratch() *backend.Disk { return &s.d.Folder().Disk }

// replace moves what is gone to state/replaced, where jobs that listed it before
// still find it.
func (s folder) replace(_ context.Context, put [][2]string, gone []string, o CompactOptions) error {
	commit := backend.Commit{Source: "upkeep", Rename: put}
	if o.Grace == 0 {
		commit.Remove = gone
	} else {
		for _, name := range gone {
			to := fmt.Sprintf("%s/%d%s", layout.ReplacedDir, o.Now.Unix(), backend.ReplacedSuffix(name))
			commit.Retire = append(commit.Retire, [2]string{name, to})
		}
	}

	// From the commit file on, a crash is rolled forward by the next lock.
	if err := s.d.Folder().Commit(layout.CompactDir, commit); err != nil {
		return err
	}
	return s.d.Folder().Finish(layout.CompactDir)
}

func (s folder) purge(_ context.Context, o CompactOptions) (map[string]bool, error) {
	if o.DryRun {
		return nil, nil
	}

	// Names that are not of this form are another program's and stay.
	disk := s.scratch()
	entries, err := disk.List(layout.ReplacedDir)
	if err != nil {
		return nil, err
	}

	for _, entry := range entries {
		if !o.graceIsOver(entry.Name()) {
			continue
		}
		if err := disk.Remove(path.Join(layout.ReplacedDir, entry.Name())); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (s folder) preserve(_ context.Context, name, second string) error {
	disk := s.scratch()
	touched := map[string]bool{path.Dir(second): true}
	if err := disk.MkdirAll(path.Dir(second), touched); err != nil {
		return err
	}

	// A link, unlike a rename, leaves the segment visible until its repair replaces it.
	if err := disk.Link(name, second); err != nil {
		return err
	}
	return disk.SyncDirs(touched)
}

func (s folder) move(_ context.Context, moves [][2]string) error {
	// From the commit file on, a crash is rolled forward by the next lock.
	if err := s.d.Folder().Commit(layout.CompactDir, backend.Commit{Source: "upkeep", Retire: moves}); err != nil {
		return err
	}
	if err := s.d.Folder().Settle(layout.CompactDir); err != nil {
		return err
	}

	left := map[string]bool{}
	for _, move := range moves {
		left[path.Dir(move[0])] = true
	}
	s.prune(left)
	return nil
}

func (s folder) remove(_ context.Context, names []string) error {
	disk := s.scratch()
	touched := map[string]bool{}
	for _, name := range names {
		if err := disk.Remove(name); err != nil {
			return err
		}
		touched[path.Dir(name)] = true
	}
	if err := disk.SyncDirs(touched); err != nil {
		return err
	}

	s.prune(touched)
	return nil
}

// prune removes folders, and those above them, that are empty.
func (s folder) prune(dirs map[string]bool) {
	// One that is not empty makes Remove fail.
	for dir := range dirs {
		for strings.Contains(dir, "/") && s.scratch().Remove(dir) == nil {
			dir = path.Dir(dir)
		}
	}
}

func (s folder) files() backend.Backend { return backend.Local{Root: s.d.Root()} }

func (s folder) load(_ context.Context, name string) ([]byte, error) {
	return s.d.Root().ReadFile(name)
}

func (s folder) save(_ context.Context, name string, doc []byte) error {
	disk := s.scratch()
	temporary := name + ".tmp"

	// A former try may have left one.
	if err := disk.Remove(temporary); err != nil {
		return err
	}
	if err := disk.Append(temporary, doc); err != nil {
		return err
	}
	if err := disk.Sync(temporary); err != nil {
		return err
	}

	if err := disk.Rename(temporary, name); err != nil {
		return err
	}
	return disk.SyncDir(path.Dir(name))
}
