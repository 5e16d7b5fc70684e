package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
)

// Exit codes, the one table in code; README has the same.
const (
	ExitOK          = 0   // done
	ExitFailed      = 1   // failed: a disk, a server, anything not below
	ExitUsage       = 2   // bad flags, arguments or configuration
	ExitRejected    = 3   // done, but some input was rejected
	ExitCorrupt     = 4   // stored data is damaged
	ExitScript      = 5   // the script threw, or does not compile
	ExitLimit       = 6   // a time, memory or output limit was hit
	ExitInterrupted = 130 // interrupted by SIGINT or SIGTERM
)

// Error adds to a cause what a person at the terminal needs: the exit code, and a
// hint what to do next. Main reads both once.
type Error struct {
	Err  error
	Code int    // one of the Exit constants
	Hint string // a sentence without the word "hint", or ""
	// Detail is printed below the error as it is, such as a stack; "" or whole lines.
	Detail string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Fail attaches an exit code to err, which must not be nil.
func Fail(code int, err error) error { return &Error{Err: err, Code: code} }

// Usage returns an error of the command line or configuration.
func Usage(format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Code: ExitUsage}
}

// WithHint attaches a hint to err and keeps its exit code.
func WithHint(err error, hint string) error {
	return &Error{Err: err, Code: exitCode(err), Hint: hint}
}

// exitCode returns the code of the outermost Error in err's chain; without one,
// 130 for a cancelled context, else 1.
func exitCode(err error) int {
	if coded, ok := errors.AsType[*Error](err); ok {
		return coded.Code
	}
	if errors.Is(err, context.Canceled) {
		return ExitInterrupted
	}
	return ExitFailed
}

// Report prints err as Main does and returns the exit code, for a program that
// has to end at once.
func Report(st *State, program string, err error) int { return report(st.Stderr, program, err) }

// placed is a script's error, whose text begins with a place that editors jump to.
type placed interface {
	error
	Detail() string
}

// report prints err for a person and returns the exit code.
func report(w io.Writer, program string, err error) int {
	if err == nil {
		return ExitOK
	}

	// Errors quote what clients and scripts say, which no terminal must obey. A text that begins with a place, file:line:column, must begin the line.
	shown, ok := errors.AsType[*Error](err)
	if _, place := errors.AsType[placed](err); ok && (place || shown.Detail != "") {
		fmt.Fprintf(w, "%s\n%s", PrintableText(err.Error()), PrintableText(shown.Detail))
	} else {
		fmt.Fprintf(w, "%s: %s\n", program, PrintableText(err.Error()))
	}

	if ok && shown.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", shown.Hint)
	}
	return exitCode(err)
}

// Named returns err, which is about a file or folder that the command line names, as an error of
// usage if that is not there or is of another kind than is meant. It changes no other error.
func Named(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) {
		return Fail(ExitUsage, err)
	}
	return err
}
