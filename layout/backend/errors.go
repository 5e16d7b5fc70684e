package backend

import "errors"

// ErrBusy is returned (wrapped) when another process or goroutine holds a
// staging folder or a lock.
var ErrBusy = errors.New("in use by another process")
