package intake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
)

const (
	// claimedPrefix begins the name of a claimed file: ".taken.<unix ns>.<name>", a name
	// on disk that is older than the word. Only
	// this program renames anything to such a name, so that a claimed file stays the
	// same until it is removed.
	claimedPrefix = ".taken."
	// maxClaimedName is how much of the original name a claimed file's name keeps: with
	// what comes before it, a file system takes 255 bytes.
	maxClaimedName = 200
	// damagedDir is the folder in a spool folder for files that are no raw logs, or of
	// which not all could be read.
	damagedDir = "damaged"
)

// isClaimed reports whether a file with that name is claimed.
func isClaimed(name string) bool { return strings.HasPrefix(name, claimedPrefix) }

// convert claims a file, publishes and removes it. A file that another server has
// claimed is left to it.
func (s *Spool) convert(ctx context.Context, name string) error {
	claimed, file, err := s.claim(name)
	if err != nil || file == nil {
		return err
	}
	defer file.Close() // which unlocks it

	_, original, _ := strings.Cut(strings.TrimPrefix(claimed, claimedPrefix), ".")

	stats, err := s.converter.ImportFile(ctx, worker.File{Content: file, Name: original, Version: rawlog.VersionAuto})
	switch {
	case errors.Is(err, layout.ErrBusy):
		return nil
	case errors.Is(err, rawlog.ErrVersion):
		s.log.Error("a spooled file is no raw log", "log", original, "kept_in", damagedDir)
		return s.setAside(claimed)
	case err != nil:
		return err
	case stats.BytesLost > 0:
		return s.setAside(claimed)
	}

	// A kill before this makes the next server import the same content again.
	return s.dir.Remove(claimed)
}

// claim renames a file, unless it is claimed already, and locks it. It returns no file
// when another server has it. The caller closes the file.
func (s *Spool) claim(name string) (claimed string, _ *os.File, err error) {
	claimed = name
	if !isClaimed(name) {
		claimed = fmt.Sprintf("%s%d.%s", claimedPrefix, time.Now().UnixNano(), name[:min(len(name), maxClaimedName)])
		if err := s.dir.Rename(name, claimed); err != nil {
			return "", nil, ignoreMissing(err)
		}
	}

	// For writing, because an exclusive lock over NFS needs it.
	file, err := s.dir.OpenFile(claimed, os.O_RDWR, 0)
	if err != nil {
		return "", nil, ignoreMissing(err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		// Another server may have published and removed it before the lock.
		_, err = s.dir.Stat(claimed)
	}

	switch {
	case err == nil:
		return claimed, file, nil
	case err == syscall.EWOULDBLOCK:
		err = nil // another server converts it
	default:
		err = ignoreMissing(fmt.Errorf("lock %s: %w", claimed, err))
	}

	file.Close()
	return "", nil, err
}

// setAside moves a claimed file to damaged/, for a person to look at.
func (s *Spool) setAside(claimed string) error {
	if err := s.dir.Mkdir(damagedDir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}

	return s.dir.Rename(claimed, damagedDir+"/"+strings.TrimPrefix(claimed, claimedPrefix))
}
