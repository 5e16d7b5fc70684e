package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/isolate"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/value"
	"github.com/aitgithub/telemetry-server/layout"
)

// isolateTasks makes the session's work run in processes of their own, a childCmd
// each.
func (c *runCmd) isolateTasks(ctx context.Context, s *session) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find tmrun for --isolate: %w", err)
	}

	// A job that writes after its last key needs all keys in one process.
	allKeys, err := s.job.OneShard(ctx)
	if err != nil {
		return err
	}

	// Processes read the rows that the script imports from a file.
	resultsFile := ""
	if len(s.job.Script.Jobs) > 0 {
		if resultsFile, err = s.results.save(c.WorkDir); err != nil {
			return err
		}
		s.closers = append(s.closers, func() { os.Remove(resultsFile) })
	}

	// Tasks report what a job in this process would have counted and saved.
	tasks := &isolate.Job{
		TaskTime: c.TaskTimeout,
		AllKeys:  allKeys,
		Stderr:   s.st.Stderr,
		Decode:   decodeError,
		Report: func(text json.RawMessage) {
			var report taskReport
			if json.Unmarshal(text, &report) == nil {
				s.job.Counters.Add(report.Counters)
				s.job.Fields.Add(report.Fields)
				s.failed.addCalls(report.Failed)
				if err := s.profiles.add(report.Profile); err != nil {
					s.st.Log.Error("profile", "err", err)
				}
			}
		},
		Command: func() *exec.Cmd {
			cmd := exec.Command(self, c.childArgs(s.scriptPath, resultsFile)...)
			cmd.Env = []string{"TMPDIR=" + os.TempDir()} // a script's process sees no secrets
			return cmd
		},
	}

	s.closers = append(s.closers, func() { tasks.Close() })
	s.work = tasks
	return nil
}

// childArgs is the command line of a child that runs the tasks of a script. resultsFile has
// the rows that the script imports, "" if it imports none.
func (c *runCmd) childArgs(script, resultsFile string) []string {
	args := []string{"child",
		"--max-errors", strconv.FormatInt(int64(c.MaxErrors), 10),
		"--task-memory", strconv.FormatInt(int64(c.TaskMemory), 10)}

	args = append(args, c.callFlags.args(c.DataDir)...)
	if c.Table != "" {
		args = append(args, "--table", c.Table)
	}
	if c.InputFilter != "" {
		args = append(args, "--input-filter", c.InputFilter)
	}

	if c.Profile != "" {
		args = append(args, "--profile")
	}

	if resultsFile != "" {
		args = append(args, "--results", resultsFile)
	}

	// A script's name may begin with a hyphen.
	return append(args, "--", script)
}

// taskReport is what a child reports of a task besides how it ended: what its
// script counted, which fields of pings it has read, calls that can be replayed, and where
// its time went.
type taskReport struct {
	Counters map[string]int64      `json:"counters,omitempty"`
	Fields   map[string]value.Seen `json:"fields,omitempty"`
	Failed   []*script.Call        `json:"failed,omitempty"`
	Profile  []byte                `json:"profile,omitempty"` // for go tool pprof
}

// taskError is an error on its way from a child to its parent.
type taskError struct {
	Script *script.Error `json:"script,omitempty"`
	Text   string        `json:"text,omitempty"`
	Kind   string        `json:"kind,omitempty"`   // a key of sentinels
	Damage *damage       `json:"damage,omitempty"` // of a segment that the child reads itself
	Code   int           `json:"code,omitempty"`   // exit code, if the error has one
	Hint   string        `json:"hint,omitempty"`
}

// damage is a layout.CorruptError on its way.
type damage struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	Text   string `json:"text"`
}

// sentinels are the errors that the parent tests for, by their names on the wire.
var sentinels = map[string]error{
	"timeout": script.ErrTimeout, "stack": script.ErrStack, "definitions": script.ErrNoDefinitions,
	"bad line": engine.ErrBadLine, "stream": engine.ErrStream,
}

// encodeError returns err as JSON. It keeps the script's error and the sentinel.
func encodeError(err error) json.RawMessage {
	// An error matches one sentinel at most.
	t := taskError{Text: err.Error()}
	for kind, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			t.Kind = kind
		}
	}

	t.Script, _ = errors.AsType[*script.Error](err)
	if corrupt, ok := errors.AsType[*layout.CorruptError](err); ok {
		t.Damage = &damage{corrupt.Path, corrupt.Offset, corrupt.Err.Error()}
	}

	if usage, ok := errors.AsType[*cli.Error](err); ok {
		t.Code = usage.Code
		t.Hint = usage.Hint
	}

	text, _ := json.Marshal(t) // strings and numbers: it cannot fail
	return text
}

// decodeError returns the error that encodeError encoded.
func decodeError(text json.RawMessage) error {
	var t taskError
	if err := json.Unmarshal(text, &t); err != nil {
		return fmt.Errorf("status of a task: %w", err)
	}

	// A script's error keeps its place and stack; the sentinel decides the exit code.
	if t.Script != nil {
		t.Script.Cause = sentinels[t.Kind]
		return t.Script
	}
	if sentinel := sentinels[t.Kind]; sentinel != nil {
		return fmt.Errorf("%w (%s)", sentinel, t.Text)
	}
	if t.Damage != nil {
		return &layout.CorruptError{Path: t.Damage.Path, Offset: t.Damage.Offset, Err: errors.New(t.Damage.Text)}
	}
	if t.Code > 0 {
		return &cli.Error{Err: errors.New(t.Text), Code: t.Code, Hint: t.Hint}
	}
	return errors.New(t.Text)
}
