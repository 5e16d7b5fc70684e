package segment

import (
	"errors"
	"fmt"
)

// ErrNewer is returned (wrapped) for what a later version of this program wrote in a
// format that this one does not know. It is no damage: nothing may repair it.
var ErrNewer = errors.New("a newer format, of a later version of this program")

// CorruptError says where stored data is damaged or cut off. Nothing from the
// damaged place on was handed out.
type CorruptError struct {
	Path   string // of the file; package layout sets it, this one leaves it empty
	Offset int64  // byte in the file where the damaged part begins; in the text of a packed old file
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: damaged at byte %d: %v", e.Path, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }
