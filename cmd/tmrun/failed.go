package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// maxFailed bounds how many failed calls of a job are kept.
const maxFailed = 100

// failedCalls are those of a job that can be replayed. Safe for concurrent use.
type failedCalls struct {
	mu    sync.Mutex // protects calls
	calls []*script.Call
}

// add keeps the call that failed with err, if there is room.
func (f *failedCalls) add(err error) {
	if call := script.CallOf(err); call != nil {
		f.keep([]*script.Call{call})
	}
}

// keep keeps calls, if there is room.
func (f *failedCalls) keep(calls []*script.Call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, calls[:min(len(calls), maxFailed-len(f.calls))]...)
}

// save writes the calls to a file of their own in dir, a line each, which only
// its owner may read, and returns its name; "" if there are none.
func (f *failedCalls) save(dir string) (name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 {
		return "", nil
	}
	file, err := os.CreateTemp(dir, "tmrun-failed-*.jsonl")
	if err != nil {
		return "", fmt.Errorf("keep failed calls: %w", err)
	}
	enc := json.NewEncoder(file)
	enc.SetEscapeHTML(false)
	for _, call := range f.calls {
		if err = enc.Encode(call); err != nil {
			break
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("keep failed calls: %w", err)
	}
	return file.Name(), nil
}

// keepFailed saves the calls that failed, the last of which may have ended the
// job with err, and adds how to replay them as a hint.
func (c *runCmd) keepFailed(err error) error {
	c.failed.add(err)
	for _, call := range c.failed.calls {
		if call.Phase == "mapFinished" { // it takes records that are not in the call
			call.DataDir, call.Filter, call.Sample = c.DataDir, c.InputFilter, float64(c.Sample)/100
		}
	}
	name, saveErr := c.failed.save(c.WorkDir)
	if saveErr != nil {
		return errors.Join(err, saveErr)
	}
	if name == "" {
		return err
	}
	out := &cli.Error{Err: err, Code: cli.ExitScript}
	if e, ok := errors.AsType[*cli.Error](err); ok {
		*out = *e
	}
	out.Hint = "tmrun repro " + name + " makes the failed call again"
	return out
}
