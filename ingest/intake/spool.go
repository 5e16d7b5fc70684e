package intake

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
)

// spoolEvery is how often a spool folder is listed without a signal: for network file
// systems, which send none, and for files whose conversion failed.
const spoolEvery = 10 * time.Second

// FileConverter converts raw logs outside the data folder; *worker.Worker is one.
type FileConverter interface {
	// ImportFile publishes a raw log, the same content once. Errors are as Worker's.
	ImportFile(ctx context.Context, f worker.File) (worker.Stats, error)
}

// Spool publishes the raw logs that other programs rename into a folder, each once.
//
//	DIR/<name>                      a whole file: written under another name, or
//	                                elsewhere on that file system, then renamed
//	DIR/.taken.<unix ns>.<name>     claimed: being converted, or to be tried again
//	DIR/damaged/<unix ns>.<name>    published as far as it could be read
//
// Names that begin with "." or end like that of a file that is still written (.tmp,
// .part, ~, …) are left alone; so is a raw log that its server has not renamed to
// ….finished yet.
//
// A claimed file is removed when its records are published; submissions whose
// definitions are not available are in a raw log of the data folder then. After a kill
// in between, the next server publishes the file again, which replaces what is there
// and doubles nothing. The same content under another name is the same raw log.
type Spool struct {
	dir       *os.Root
	converter FileConverter
	log       *slog.Logger
}

// NewSpool returns a Spool for a folder. The caller closes dir after Run.
func NewSpool(dir *os.Root, converter FileConverter, log *slog.Logger) *Spool {
	return &Spool{dir: dir, converter: converter, log: log}
}

// Run converts what there is and what comes until ctx ends, which also ends the
// conversion in hand; its file stays, and is converted by the next Run.
func (s *Spool) Run(ctx context.Context) {
	var events <-chan fsnotify.Event // nil where watching does not work
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		defer watcher.Close()
		err = watcher.Add(s.dir.Name())
	}
	if err == nil {
		events = watcher.Events
	} else {
		s.log.Warn("cannot watch the spool folder; it is listed from time to time", "dir", s.dir.Name(), "every", spoolEvery, "err", err)
	}

	tick := time.NewTicker(spoolEvery)
	defer tick.Stop()
	for {
		s.sweep(ctx)

		// Events of other files, and of what this program itself renames, do not count.
		for changed := false; !changed; {
			select {
			case <-ctx.Done():
				return
			case event := <-events:
				changed = event.Has(fsnotify.Create) && isWhole(path.Base(event.Name))
			case <-tick.C:
				changed = true
			}
		}
	}
}

// sweep converts every whole file, by name. A file that fails does not keep the others
// from being converted.
func (s *Spool) sweep(ctx context.Context) {
	entries, err := fs.ReadDir(s.dir.FS(), ".")
	if err != nil {
		s.log.Error("cannot list the spool folder", "dir", s.dir.Name(), "err", err)
	}

	for _, entry := range entries {
		if ctx.Err() != nil {
			return
		}

		// Claimed files come again: their conversion failed, or their server crashed.
		name := entry.Name()
		if !entry.Type().IsRegular() || !isClaimed(name) && !isWhole(name) {
			continue
		}

		err := s.convert(ctx, name)
		if err != nil && ctx.Err() == nil {
			s.log.Error("cannot convert a spooled file; it is kept", "log", name, "retry_in", spoolEvery, "err", err)
		}
	}
}

// unfinishedSuffixes end the names that programs give to files they still write.
var unfinishedSuffixes = []string{".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", "~"}

// isWhole reports whether a file with that name is complete by convention.
func isWhole(name string) bool {
	unfinished := func(suffix string) bool { return strings.HasSuffix(name, suffix) }
	switch {
	case strings.HasPrefix(name, "."), slices.ContainsFunc(unfinishedSuffixes, unfinished):
		return false
	case strings.HasSuffix(name, rawlog.FinishedSuffix):
		return true
	}

	// A server names a raw log by its time while it writes it.
	return !strings.HasPrefix(name, "telemetry.log.") || !endsInTime(name)
}

// endsInTime reports whether a name ends like that of a raw log being written: in the
// milliseconds at which it was begun.
func endsInTime(name string) bool {
	begun := timeOf(name)
	return begun != "" && strings.Trim(begun, "0123456789") == ""
}

// ignoreMissing returns nil for the error that a file has gone.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
