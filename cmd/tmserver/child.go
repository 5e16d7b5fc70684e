package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// childProcess converts raw logs of a data folder in processes of their own, as
// worker.Child.
//
//	this process ── childRequest ─► stdin of "tmserver child", open until it has to end
//	             ◄── childResult ── stdout; none when the process ended before
type childProcess struct {
	dir    string
	flags  dataFolderFlags
	stderr io.Writer // gets what the processes log
}

var _ worker.Child = (*childProcess)(nil)

// childRequest says which raw log of which data folder a child converts, and how.
type childRequest struct {
	DataDir string          `json:"data_dir"`
	Log     string          `json:"log"`
	Flags   dataFolderFlags `json:"flags"`
}

// childResult is how the conversion ended.
type childResult struct {
	Stats worker.Stats `json:"stats"`
	Error string       `json:"error,omitempty"`
	Kind  string       `json:"kind,omitempty"` // a key of childErrors
}

// childErrors are the errors that callers of Worker.ConvertLog test for, by their names in
// a childResult.
var childErrors = map[string]error{
	"busy":        layout.ErrBusy,
	"unavailable": revisions.ErrUnavailable,
	"missing":     fs.ErrNotExist,
}

// setError sets the error of a result.
func (r *childResult) setError(log string, err error) {
	if err == nil {
		return
	}

	// The parent says which raw log it is.
	r.Error = strings.TrimPrefix(err.Error(), "convert "+log+": ")
	for kind, sentinel := range childErrors {
		if errors.Is(err, sentinel) {
			r.Kind = kind
		}
	}
}

// err returns the error that setError set.
func (r *childResult) err() error {
	switch {
	case r.Error == "":
		return nil
	case childErrors[r.Kind] != nil:
		return &childError{text: r.Error, sentinel: childErrors[r.Kind]}
	}
	return errors.New(r.Error)
}

// childError is an error of a child that callers test for.
type childError struct {
	text     string
	sentinel error
}

func (e *childError) Error() string { return e.text }
func (e *childError) Unwrap() error { return e.sentinel }

// childEndTime is how long a child may take to end when it has to. It does not react
// within native code.
const childEndTime = time.Minute

// ConvertLog implements worker.Child.
func (c *childProcess) ConvertLog(ctx context.Context, name string) (worker.Stats, error) {
	request, err := json.Marshal(childRequest{DataDir: c.dir, Log: name, Flags: c.flags})
	if err != nil {
		return worker.Stats{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return worker.Stats{}, fmt.Errorf("find tmserver: %w", err)
	}

	cmd := exec.CommandContext(ctx, self, "child")
	cmd.Stderr = &withoutStacks{w: c.stderr}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return worker.Stats{}, err
	}
	cmd.Cancel = stdin.Close
	cmd.WaitDelay = childEndTime

	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		return worker.Stats{}, err
	}

	// A child that ends before it has read the request has no result either.
	stdin.Write(request)
	err = cmd.Wait()

	var result childResult
	if json.Unmarshal(stdout.Bytes(), &result) != nil {
		return worker.Stats{}, fmt.Errorf("%w: %v", worker.ErrEnded, err)
	}
	return result.Stats, result.err()
}

// withoutStacks passes on what a process prints up to the stacks that Go prints when it
// dies. This process has printed some of the same kind before it needed a child.
type withoutStacks struct {
	w    io.Writer
	line []byte // not whole yet
	dead bool   // stacks follow
}

// Write implements io.Writer.
func (w *withoutStacks) Write(text []byte) (int, error) {
	w.line = append(w.line, text...)
	for !w.dead {
		line, rest, whole := bytes.Cut(w.line, []byte("\n"))
		if !whole {
			return len(text), nil
		}

		w.dead = bytes.HasPrefix(line, []byte("goroutine ")) || bytes.HasPrefix(line, []byte("runtime stack:"))
		if !w.dead {
			if _, err := w.w.Write(w.line[:len(line)+1]); err != nil {
				return 0, err
			}
		}
		w.line = rest
	}

	w.line = nil
	return len(text), nil
}
