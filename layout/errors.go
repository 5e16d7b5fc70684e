package layout

import (
	"errors"
	"fmt"
)

var (
	// ErrBusy is returned (wrapped) when another process or goroutine holds the
	// staging area of the same raw log, or the lock of compaction.
	ErrBusy = errors.New("in use by another process")
	// ErrRecordTooLarge is returned (wrapped) by Writer.Add for a line above maxRecordBytes.
	ErrRecordTooLarge = errors.New("record too large")
	// ErrBadRecord is returned (wrapped) by Writer.Add for an ID or a JSON text
	// that would break the line format: a tab or a newline inside, or nothing.
	ErrBadRecord = errors.New("record would break its line")
	// ErrNoFrames is returned (wrapped) by Tree.Open when a part is asked of a
	// file whose format has no frames.
	ErrNoFrames = errors.New("format cannot be read in parts")
)

// CorruptError says where stored data is damaged or cut off. Nothing from the
// damaged place on was handed out.
type CorruptError struct {
	Path   string // as in Segment.Path
	Offset int64  // byte in the file where the damaged part begins; in the text of a packed old file
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: damaged at byte %d: %v", e.Path, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }
