package quarantine

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/aitgithub/telemetry-server/layout"
)

// A replay records its submissions in the index of repeats just before its commit. If the
// process ends between the two, the submissions are still in the quarantine, and the index
// says that they were received from a replay of this name. The next replay has another
// name if compaction has merged the segment meanwhile, and would drop them as repeats,
// although they were never published. So a note, state/attempts/<name>, is made before the
// commit, which removes it; what is recorded for a note that is left is forgotten.

// replayPrefix begins the names of replays.
const replayPrefix = "replay."

// note makes the note of the replay of that name durable, and lets the commit remove it.
func (r *replay) note(name string) error {
	file := path.Join(layout.AttemptsDir, name)
	disk := r.data.Folder()

	touched := map[string]bool{layout.AttemptsDir: true}
	err := disk.MkdirAll(layout.AttemptsDir, touched)
	if err == nil {
		err = disk.Append(file, []byte("replay\n"))
	}
	if err == nil {
		err = disk.Sync(file)
	}
	if err == nil {
		err = disk.SyncDirs(touched)
	}
	if err != nil {
		return fmt.Errorf("note replay: %w", err)
	}

	r.writer.Supersede(file)
	return nil
}

// forgetUnfinished forgets what replays recorded that have not come to their commit. The
// caller holds the lock of the data folder, so none of them is at work.
func (r *replay) forgetUnfinished() error {
	notes, err := r.data.Folder().List(layout.AttemptsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	for _, note := range notes {
		if strings.HasPrefix(note.Name(), replayPrefix) {
			if err := r.forget(note.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget forgets what the replay of that name recorded, unless it was committed.
func (r *replay) forget(name string) error {
	// This finishes a commit, which removes the note.
	writer, err := r.data.NewWriter(name, layout.WriterOptions{})
	if err != nil {
		return err
	}

	file := path.Join(layout.AttemptsDir, name)
	_, err = r.data.Root().Lstat(file)
	switch {
	case err == nil:
		err = writer.ForgetRepeats()
		if err == nil {
			err = r.data.Folder().Remove(file)
		}
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	return errors.Join(err, writer.Abort())
}
