package engine

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// PanicError is a panic of this program, a bug: it ends the job, not the process.
type PanicError struct {
	Value any
	Stack []byte // Go's
}

// NewPanicError returns the error for what recover returned. It must be called
// by the deferred function that recovered.
func NewPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

// Error is one line: the stack is for those who fix it.
func (e *PanicError) Error() string {
	text := strings.Join(strings.Fields(fmt.Sprint(e.Value)), " ")
	return "this is a bug of tmrun, not of the script: " + text
}
