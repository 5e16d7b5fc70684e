package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// maxFailed bounds how many failed calls of a job are saved.
const maxFailed = 100

// failedCalls are the calls of a job that failed and can be replayed, the first
// maxFailed of them. Safe for concurrent use.
type failedCalls struct {
	mu    sync.Mutex // protects calls
	calls []*script.Call
}

// add adds the call that failed with err, if there is room.
func (f *failedCalls) add(err error) {
	if call := script.CallOf(err); call != nil {
		f.addCalls([]*script.Call{call})
	}
}

// addCalls adds calls while there is room.
func (f *failedCalls) addCalls(calls []*script.Call) {
	f.mu.Lock()
	defer f.mu.Unlock()

	room := maxFailed - len(f.calls)
	f.calls = append(f.calls, calls[:min(len(calls), room)]...)
}

// save writes the calls to a new file in dir, a line each, and returns its name;
// "" if no call failed. Only its owner may read the file, because records are in it.
func (f *failedCalls) save(dir string) (name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 {
		return "", nil
	}

	file, err := os.CreateTemp(dir, failurePattern)
	if err != nil {
		return "", fmt.Errorf("save failed calls: %w", err)
	}

	// A line each, with <, > and & readable.
	enc := json.NewEncoder(file)
	enc.SetEscapeHTML(false)
	for _, call := range f.calls {
		if err = enc.Encode(call); err != nil {
			break
		}
	}

	if err = errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("save failed calls: %w", err)
	}
	removeOldFailures(file.Name())
	return file.Name(), nil
}

const (
	// failurePattern is how files of failed calls are named, in os.CreateTemp's way and
	// in filepath.Glob's.
	failurePattern = "tmrun-failed-*.jsonl"
	// resultsSuffix ends the name of the file beside it with the rows that the calls' script
	// imports.
	resultsSuffix = ".results"
	// maxFailureFiles and maxFailureAge bound which of them stay in a folder.
	maxFailureFiles = 20
	maxFailureAge   = 30 * 24 * time.Hour
)

// removeOldFailures removes the files of failed calls in the folder of the newest one
// that are too many or too old. Those that cannot be removed, such as another user's, stay.
func removeOldFailures(newest string) {
	root, err := os.OpenRoot(filepath.Dir(newest))
	if err != nil {
		return
	}
	defer root.Close()

	names, err := fs.Glob(root.FS(), failurePattern)
	if err != nil {
		return
	}

	var older []fs.FileInfo
	for _, name := range names {
		fi, err := root.Lstat(name)
		if err == nil && fi.Mode().IsRegular() && name != filepath.Base(newest) {
			older = append(older, fi)
		}
	}

	// The newest one is kept in any case, and counts.
	slices.SortFunc(older, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for i, fi := range older {
		if i >= maxFailureFiles-1 || time.Since(fi.ModTime()) > maxFailureAge {
			root.Remove(fi.Name())
			root.Remove(fi.Name() + resultsSuffix)
		}
	}
}

// saveFailed saves the calls that failed, the last of which may have ended the job
// with err, and returns err with a hint how to replay them.
func (c *runCmd) saveFailed(s *session, err error) error {
	s.failed.add(err)

	// mapFinished depends on all records of its task, which are not in the call:
	// the call says where they are.
	for _, call := range s.failed.calls {
		if call.Phase == "mapFinished" {
			call.DataDir = c.DataDir
			call.Filter = c.InputFilter
			call.Sample = c.share().Records
			call.Clients = c.share().Clients
		}
	}

	name, saveErr := s.failed.save(c.WorkDir)
	if saveErr != nil {
		return errors.Join(err, saveErr)
	}
	if name == "" {
		return err
	}

	// The calls may depend on the rows of other jobs.
	if len(s.results.encoded) > 0 {
		if err := os.WriteFile(name+resultsSuffix, s.results.append(nil), 0o600); err != nil {
			return errors.Join(err, fmt.Errorf("save results: %w", err))
		}
	}

	// The hint is added to what the error says already.
	out := &cli.Error{Err: err, Code: cli.ExitScript}
	if e, ok := errors.AsType[*cli.Error](err); ok {
		*out = *e
	}

	if out.Hint != "" {
		out.Hint += "; "
	}
	out.Hint += "tmrun repro " + name + " makes the failed call again"
	return out
}
