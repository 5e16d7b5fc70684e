package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

const (
	// takenPrefix begins the names of files in a spool folder that a server has
	// taken: ".taken.<unix ns>.<name>". Nobody else renames anything to such a
	// name, so a file is what it was until it is removed.
	takenPrefix = ".taken."
	// maxTakenName is how much of a name is kept: with what comes before it, a file
	// system takes 255 bytes.
	maxTakenName = 200
	// DamagedDir is the folder in a spool folder for files that are no raw logs, or
	// of which not all could be read.
	DamagedDir = "damaged"
	// spoolEvery is how often a spool folder is looked through without being told:
	// for network file systems, which tell nothing, and for what failed.
	spoolEvery = 10 * time.Second
)

// temporary are the endings of names that programs give to files they still write.
var temporary = []string{".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", "~"}

// Spool publishes the raw logs that others put into a folder, each exactly once.
//
//	DIR/<name>                      a whole file: written under another name, or
//	                                elsewhere on that file system, then renamed
//	DIR/.taken.<unix ns>.<name>     being converted, or waiting to be tried again
//	DIR/damaged/<unix ns>.<name>    published as far as it could be read
//
// Names that begin with "." or end like one of a file still being written (.tmp,
// .part, ~, …) are left alone; so is a raw log that its server has not renamed to
// ….finished yet.
//
// A taken file is removed when its records are published, but for those whose
// definitions cannot be had, which are in a raw log of the data folder then. Killed in between, the
// next server finds it and publishes it again under the same name, its content's
// sum, which replaces and doubles nothing. The same content under another name is
// the same raw log.
type Spool struct {
	Dir *os.Root
	// Convert publishes the raw log that r reads as ConvertFrames does.
	Convert func(ctx context.Context, source string, r *rawlog.Reader) (Stats, error)
	Logger  *slog.Logger
}

// Run takes what there is and what comes until ctx ends, which also ends the
// conversion in hand; its file stays, and is converted by the next Run.
func (s *Spool) Run(ctx context.Context) {
	var events <-chan fsnotify.Event // nil, which never gives one, where watching does not work
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer w.Close()
		if err = w.Add(s.Dir.Name()); err == nil {
			events = w.Events
		}
	}
	if err != nil {
		s.Logger.Warn("cannot watch the spool folder; it is looked through from time to time", "dir", s.Dir.Name(), "every", spoolEvery, "err", err)
	}
	tick := time.NewTicker(spoolEvery)
	defer tick.Stop()
	for {
		s.sweep(ctx)
		for again := false; !again; {
			select {
			case <-ctx.Done():
				return
			case e := <-events:
				again = e.Has(fsnotify.Create) && whole(path.Base(e.Name))
			case <-tick.C:
				again = true
			}
		}
	}
}

// sweep converts every file that is whole, by name. One that fails stays and
// keeps none of the others.
func (s *Spool) sweep(ctx context.Context) {
	entries, err := fs.ReadDir(s.Dir.FS(), ".")
	if err != nil {
		s.Logger.Error("cannot list the spool folder", "dir", s.Dir.Name(), "err", err)
	}
	for _, e := range entries {
		name := e.Name()
		if ctx.Err() != nil {
			return
		}
		if !e.Type().IsRegular() || !strings.HasPrefix(name, takenPrefix) && !whole(name) {
			continue
		}
		if err := s.take(ctx, name); err != nil && ctx.Err() == nil {
			s.Logger.Error("cannot convert a spooled file; it is kept", "log", name, "retry_in", spoolEvery, "err", err)
		}
	}
}

// whole says whether a file with that name is complete by convention.
func whole(name string) bool {
	if strings.HasPrefix(name, ".") || slices.ContainsFunc(temporary, func(t string) bool { return strings.HasSuffix(name, t) }) {
		return false
	}
	return strings.HasSuffix(name, rawlog.FinishedSuffix) || !strings.HasPrefix(name, "telemetry.log.") || !stamped(name)
}

// stamped says whether a name ends like that of a raw log being written: in the
// milliseconds at which it was begun.
func stamped(name string) bool {
	ms := stamp(name)
	return ms != "" && strings.Trim(ms, "0123456789") == ""
}

// take publishes one file and removes it. One that another server has taken is
// left to it.
func (s *Spool) take(ctx context.Context, name string) error {
	taken := name
	if !strings.HasPrefix(name, takenPrefix) {
		taken = fmt.Sprintf("%s%d.%s", takenPrefix, time.Now().UnixNano(), name[:min(len(name), maxTakenName)])
		if err := s.Dir.Rename(name, taken); err != nil {
			return ignoreMissing(err)
		}
	}
	f, err := s.Dir.OpenFile(taken, os.O_RDWR, 0) // for writing, because an exclusive lock over NFS needs it
	if err != nil {
		return ignoreMissing(err)
	}
	defer f.Close() // which unlocks
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == syscall.EWOULDBLOCK {
		return nil
	} else if err != nil {
		return fmt.Errorf("lock %s: %w", taken, err)
	}
	if _, err := s.Dir.Stat(taken); err != nil {
		return ignoreMissing(err) // done by another server as we came
	}
	source, err := ImportSource(f)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, original, _ := strings.Cut(strings.TrimPrefix(taken, takenPrefix), ".")
	r := rawlog.NewReader(f, rawlog.VersionOf(original))
	r.Source = original
	st, err := s.Convert(ctx, source, r)
	switch {
	case errors.Is(err, layout.ErrBusy):
		return nil
	case errors.Is(err, rawlog.ErrVersion):
		s.Logger.Error("a spooled file is no raw log", "log", original, "kept_in", DamagedDir)
		return s.setAside(taken)
	case err != nil:
		return err
	}
	if st.BytesLost > 0 {
		return s.setAside(taken)
	}
	return s.Dir.Remove(taken)
}

// setAside keeps a taken file for somebody to look at.
func (s *Spool) setAside(taken string) error {
	if err := s.Dir.Mkdir(DamagedDir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.Dir.Rename(taken, DamagedDir+"/"+strings.TrimPrefix(taken, takenPrefix))
}

// ignoreMissing returns nil when a file has gone.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
