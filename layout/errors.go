package layout

import (
	"errors"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

var (
	// ErrBusy is returned (wrapped) when another process or goroutine holds the
	// staging folder of the same raw log, or the lock of compaction.
	ErrBusy = backend.ErrBusy
	// ErrRecordTooLarge is returned (wrapped) by Writer.Add for a line above
	// segment.MaxRecordBytes.
	ErrRecordTooLarge = errors.New("record too large")
	// ErrBadRecord is returned (wrapped) by Writer.Add for an ID or a JSON text
	// that would break the line format: a tab or a newline inside, or nothing.
	ErrBadRecord = errors.New("record would break its line")
	// ErrNewer is returned (wrapped) for what a later version of this program wrote in a
	// format that this one does not know.
	ErrNewer = segment.ErrNewer
	// ErrNoFrames is returned (wrapped) by Tree.Open for a part of a file whose format
	// has no frames.
	ErrNoFrames = errors.New("format cannot be read in parts")
)

// CorruptError says where stored data is damaged; its Path is as in Segment.Path.
type CorruptError = segment.CorruptError

// IsDamage says whether err wraps a *CorruptError.
func IsDamage(err error) bool {
	_, ok := errors.AsType[*CorruptError](err)
	return ok
}
