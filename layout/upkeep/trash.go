package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
)

// TrashRun is what one run of retention moved to the trash.
type TrashRun struct {
	Name  string    // of the folder below layout.TrashDir
	Time  time.Time // of the run; zero if the name does not say
	Files int
	Bytes int64
}

// ListTrash lists the runs in the trash, oldest first. It needs no lock.
func ListTrash(ctx context.Context, p *Place) ([]TrashRun, error) {
	entries, err := p.site.files().List(ctx, layout.TrashDir)
	if err != nil {
		return nil, err
	}

	var runs []TrashRun
	for _, entry := range entries {
		run := TrashRun{Name: entry.Name}
		if seconds, err := strconv.ParseInt(entry.Name, 10, 64); err == nil {
			run.Time = time.Unix(seconds, 0).UTC()
		}

		err := p.eachTrashed(ctx, run.Name, func(_ string, bytes int64) error {
			run.Files++
			run.Bytes += bytes
			return nil
		})
		if err != nil {
			return nil, err
		}

		// A folder that is an object store keeps its empty folders.
		if run.Files > 0 {
			runs = append(runs, run)
		}
	}

	slices.SortStableFunc(runs, func(a, b TrashRun) int { return a.Time.Compare(b.Time) })
	return runs, nil
}

// eachTrashed calls do with the path below the run, and the bytes, of each of its files.
func (p *Place) eachTrashed(ctx context.Context, run string, do func(name string, bytes int64) error) error {
	// do gets names relative to this folder.
	root := path.Join(layout.TrashDir, run)
	var walk func(dir string) error
	walk = func(dir string) error {
		entries, err := p.site.files().List(ctx, path.Join(root, dir))

		if err != nil {
			return err
		}

		for _, entry := range entries {
			name := path.Join(dir, entry.Name)
			if entry.Dir {
				err = walk(name)
			} else {
				err = do(name, entry.Size)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return walk("")
}

// Restore puts the files of a run back where they were. It returns how many it put
// back, and the paths that other files have by now: these stay in the trash. ErrBusy
// while Compact runs.
func (p *Place) Restore(ctx context.Context, run string) (restored int, taken []string, err error) {
	err = p.locked(ctx, func() error {
		names, err := p.trashed(ctx, run)
		if err != nil {
			return err
		}

		// A merged segment hides those that it replaced, so it comes back first.
		slices.SortStableFunc(names, func(a, b string) int { return strings.Compare(path.Base(b), path.Base(a)) })
		for _, name := range names {
			inTrash := path.Join(layout.TrashDir, run, name)
			err := p.site.preserve(ctx, inTrash, name)
			if errors.Is(err, fs.ErrExist) {
				taken = append(taken, name)
				continue
			}
			if err == nil {
				err = p.site.remove(ctx, []string{inTrash})
			}
			if err != nil {
				return err
			}
			restored++
		}
		return nil
	})

	if err != nil {
		return restored, taken, fmt.Errorf("restore %s: %w", run, err)
	}
	return restored, taken, nil
}

// Empty deletes a run in the trash for good, and returns how many files that were.
// ErrBusy while Compact runs.
func (p *Place) Empty(ctx context.Context, run string) (deleted int, err error) {
	err = p.locked(ctx, func() error {
		deleted, err = p.empty(ctx, run)
		return err
	})
	if err != nil {
		return deleted, fmt.Errorf("empty the trash: %w", err)
	}
	return deleted, nil
}

// empty is Empty for a caller that holds the lock.
func (p *Place) empty(ctx context.Context, run string) (int, error) {
	names, err := p.trashed(ctx, run)
	if err != nil {
		return 0, err
	}

	for i, name := range names {
		names[i] = path.Join(layout.TrashDir, run, name)
	}
	return len(names), p.site.remove(ctx, names)
}

// trashed returns the paths below the run of its files; fs.ErrNotExist without any.
func (p *Place) trashed(ctx context.Context, run string) (names []string, err error) {
	if run == "" || run != path.Base(run) {
		return nil, fmt.Errorf("%q in the trash: %w", run, fs.ErrNotExist)
	}

	err = p.eachTrashed(ctx, run, func(name string, _ int64) error {
		names = append(names, name)
		return nil
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s in the trash: %w", run, fs.ErrNotExist)
	}
	return names, err
}

// dueRuns returns the runs whose grace period is over.
func (p *Place) dueRuns(ctx context.Context, o ExpireOptions) (due []string, err error) {
	entries, err := p.site.files().List(ctx, layout.TrashDir)
	if err != nil {
		return nil, err
	}

	// Names that are not of this form are a person's, and stay.
	for _, entry := range entries {
		seconds, err := strconv.ParseInt(entry.Name, 10, 64)
		if err == nil && seconds <= o.Now.Add(-o.Trash).Unix() {
			due = append(due, entry.Name)
		}
	}
	return due, nil
}

// emptyDue deletes what has been in the trash long enough, and returns how many files
// that were. The caller holds the lock, and believes the clock.
func (p *Place) emptyDue(ctx context.Context, o ExpireOptions) (deleted int, err error) {
	runs, err := p.dueRuns(ctx, o)
	if err != nil {
		return 0, err
	}

	for _, run := range runs {
		count, err := p.empty(ctx, run)
		deleted += count
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return deleted, err
		}
	}
	return deleted, nil
}
