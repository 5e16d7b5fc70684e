package worker

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// RawLogs returns the paths, relative to the data folder, of the raw logs that have
// submissions of forgotten clients: those that wait, those that a server writes, and damaged
// ones that were put aside.
func RawLogs(ctx context.Context, data *layout.Data, set *forget.Set) (found []string, err error) {
	for _, dir := range []string{layout.RawDir, path.Join(layout.DamagedDir, layout.RawDir)} {
		entries, err := fs.ReadDir(data.Root().FS(), dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}

		for _, entry := range entries {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			name := path.Join(dir, entry.Name())
			file, err := data.Root().Open(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // converted meanwhile
			}
			if err != nil {
				return nil, err
			}
			has, err := rawLogHas(file, entry.Name(), set)
			file.Close()
			if err != nil {
				return nil, err
			}
			if has {
				found = append(found, name)
			}
		}
	}
	return found, nil
}

// rawLogHas says whether a raw log has a submission of a forgotten client. A file of another
// kind has none.
func rawLogHas(file io.Reader, name string, set *forget.Set) (bool, error) {
	entries := rawlog.NewReader(file, rawlog.VersionOf(name))
	for {
		submission, err := entries.Next()
		if err == io.EOF || errors.Is(err, rawlog.ErrVersion) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if layout.SubmissionIsForgotten(submission.Path, submission.Body, set) {
			return true, nil
		}
	}
}

// ForgetWaiting writes a raw log of raw/ again without the submissions of forgotten clients,
// and returns how many those were. The commit that removes it puts the new one in its place,
// under a name of its own. A deletion request among them is added to those of the data folder.
// The error wraps layout.ErrBusy when a server writes the raw log, or a process converts it,
// and *layout.CorruptError when not all of it can be read: convert it first.
func ForgetWaiting(ctx context.Context, data *layout.Data, name string, set *forget.Set) (forgotten int, err error) {
	// This finishes a commit, so that the raw log may be gone after it.
	writer, err := data.NewWriter(name, layout.WriterOptions{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, writer.Abort()) }() // does nothing after the commit
	file, err := data.Root().Open(path.Join(layout.RawDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return 0, errors.Join(layout.ErrBusy, err)
	}

	// Most raw logs have none.
	has, err := rawLogHas(file, name, set)
	if err != nil || !has {
		return 0, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	rewriting := &rawRewriting{data: data, writer: writer, set: set}
	if err := rewriting.run(file, name); err != nil {
		return 0, err
	}
	writer.Supersede(attemptsFile(name)) // which knows offsets
	_, err = writer.Commit(ctx)
	return rewriting.forgotten, err
}

// rawRewriting writes a raw log again.
type rawRewriting struct {
	data      *layout.Data
	writer    *layout.Writer
	set       *forget.Set
	forgotten int
	kept      *laterLog // nil: nothing was kept yet
}

func (r *rawRewriting) run(file *os.File, name string) error {
	waiting, err := freeName(r.data, waitingName(name))
	if err != nil {
		return err
	}
	read := &summedReader{source: file}
	entries := rawlog.NewReader(read, rawlog.VersionOf(name))
	submissions := int64(0)
	for {
		submission, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}

		submissions++
		if layout.SubmissionIsForgotten(submission.Path, submission.Body, r.set) {
			r.forgotten++
			r.addRequest(&submission)
			continue
		}
		if r.kept == nil {
			r.kept = newLaterLog(r.writer, waiting)
		}
		if err := r.kept.add(&submission); err != nil {
			return err
		}
	}

	if entries.BytesLost() > 0 {
		return &layout.CorruptError{Path: path.Join(layout.RawDir, name), Err: errors.New("it must be converted before somebody in it can be forgotten")}
	}
	r.writer.SetOrigin(read.bytes, read.crc, submissions)
	return nil
}

// addRequest adds what a submission says that is a deletion request.
func (r *rawRewriting) addRequest(s *rawlog.Submission) {
	submitted, ok := schema.ParseSubmissionPath(s.Path)
	if !ok {
		return
	}
	row := r.data.Deletions().Find(submitted.Namespace, submitted.Type)
	if row == nil {
		return
	}
	for _, id := range row.Read(forget.Unpack(s.Body)) {
		r.writer.Forget(forget.Request{ID: id, Time: s.Time, Reaches: row.Reaches})
	}
}

// freeName returns a name of a raw log that waits, which no other one has.
func freeName(data *layout.Data, name string) (string, error) {
	for {
		_, err := data.Root().Lstat(path.Join(layout.RawDir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		name = waitingName(name)
	}
}
