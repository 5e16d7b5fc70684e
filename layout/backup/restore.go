package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
)

// ErrNotEmpty is returned (wrapped) by Restore for a folder in which there is something.
var ErrNotEmpty = errors.New("the folder is not empty")

// Restored is what a Restore did.
type Restored struct {
	Files int
	Bytes int64
	There int // files that were there already, with the same content
	// Kept are files that were there with another content. They were not touched.
	Kept []string
}

// Restore writes the files of a snapshot into a folder, which is made if it is missing,
// and checks each against its checksum. It overwrites nothing. A folder in which there
// is something is an error that wraps ErrNotEmpty, unless beside says that the files go
// beside what is there; then no server may use the folder.
//
// Until it is complete the folder has layout.RestoringFile, and cannot be used. After an
// interruption, the same Restore again goes on.
func (r *Repository) Restore(ctx context.Context, name string, s *Snapshot, dir string, beside bool) (Restored, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return Restored{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Restored{}, err
	}
	defer root.Close()

	w := &restoring{r: r, disk: backend.Disk{Root: root}, touched: map[string]bool{".": true}}
	if err := w.begin(name, beside); err != nil {
		return Restored{}, fmt.Errorf("restore into %s: %w", dir, err)
	}
	if err := w.all(ctx, s.Files); err != nil {
		return w.done, fmt.Errorf("restore into %s: %w; it can be repeated", dir, err)
	}
	return w.done, w.end()
}

// restoring is a Restore at work.
type restoring struct {
	r    *Repository
	disk backend.Disk

	mu      sync.Mutex // protects what follows
	touched map[string]bool
	done    Restored
}

// begin marks the folder, unless there is something in it.
func (w *restoring) begin(snapshot string, beside bool) error {
	mark, err := json.Marshal(map[string]string{"snapshot": snapshot})
	if err != nil {
		return err
	}
	there, err := w.disk.Root.ReadFile(layout.RestoringFile)
	if err == nil && string(there) == string(mark) {
		return nil // it goes on
	}
	if err == nil {
		return fmt.Errorf("%s says that another restore has not ended: %s", layout.RestoringFile, there)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	entries, err := w.disk.List(".")
	if err != nil {
		return err
	}
	if len(entries) > 0 && !beside {
		return fmt.Errorf("%w: it has %s", ErrNotEmpty, entries[0].Name())
	}

	if err := w.disk.MkdirAll(path.Dir(layout.RestoringFile), w.touched); err != nil {
		return err
	}
	if err := w.disk.Append(layout.RestoringFile, mark); err != nil {
		return err
	}
	if err := w.disk.Sync(layout.RestoringFile); err != nil {
		return err
	}
	w.touched[path.Dir(layout.RestoringFile)] = true
	return w.disk.SyncDirs(w.touched)
}

// all restores the files.
func (w *restoring) all(ctx context.Context, files []File) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelFiles)
	for _, file := range files {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return w.file(file)
		})
	}
	return group.Wait()
}

// file restores one file.
func (w *restoring) file(f File) error {
	same, err := w.isThere(f)
	if same || err != nil {
		return err
	}

	// A part of a file never has its name: it is written under another one.
	temp := f.Path + layout.RestoringSuffix
	w.mu.Lock()
	err = w.disk.MkdirAll(path.Dir(f.Path), w.touched)
	w.touched[path.Dir(f.Path)] = true
	w.mu.Unlock()
	if err == nil {
		err = w.disk.Remove(temp)
	}
	if err != nil {
		return err
	}
	if err := w.write(f, temp); err != nil {
		return errors.Join(err, w.disk.Remove(temp))
	}
	if err := w.disk.Rename(temp, f.Path); err != nil {
		return err
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	w.done.Files++
	w.done.Bytes += f.Bytes
	return nil
}

// isThere says whether the path is taken, and counts what by.
func (w *restoring) isThere(f File) (bool, error) {
	file, err := w.disk.Root.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()

	sum, bytes, err := sumOf(file)
	if err != nil {
		return false, err
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes == f.Bytes && sum == f.SHA256 {
		w.done.There++
	} else {
		w.done.Kept = append(w.done.Kept, f.Path)
	}
	return true, nil
}

// write writes the content of a file durably.
func (w *restoring) write(f File, temp string) error {
	file, err := w.disk.Root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}

	err = w.r.read(f, io.Writer(file))
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// end makes the names durable, and then the folder usable.
func (w *restoring) end() error {
	if err := w.disk.SyncDirs(w.touched); err != nil {
		return err
	}
	if err := w.disk.Remove(layout.RestoringFile); err != nil {
		return err
	}
	return w.disk.SyncDir(path.Dir(layout.RestoringFile))
}
