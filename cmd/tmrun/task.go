package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/isolate"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// taskFlags are what map, reduce and the children of --isolate have in common.
type taskFlags struct {
	Script          string        `arg:"" predictor:"script" help:"The job: a path, or the name of a shipped script."`
	MaxErrors       failures      `name:"max-errors" default:"0" placeholder:"N" help:"Records and keys that may fail without stopping the task; -1 is any number."`
	CallTimeout     time.Duration `name:"call-timeout" default:"30s" help:"What one call of a script's function may take; 0 is no limit."`
	TaskMemory      size          `name:"task-memory" default:"0" placeholder:"SIZE" help:"Memory that this process may use; 0 is no limit."`
	definitionFlags `embed:""`
	Status          bool `hidden:"" help:"Write how it ended to file descriptor 3, as JSON."`

	counters script.Counters
	failed   failedCalls
}

// taskReport is what a child says beside how it ended: what its script counted,
// and calls that can be replayed.
type taskReport struct {
	Counters map[string]int64 `json:"counters,omitempty"`
	Failed   []*script.Call   `json:"failed,omitempty"`
}

// begin limits the process and compiles the script.
func (f *taskFlags) begin(st *cli.State) (*script.Job, engine.Options, error) {
	o := engine.DefaultOptions()
	o.MaxErrors, o.Log, o.Rejected = int64(f.MaxErrors), st.Log, f.failed.add
	if f.TaskMemory > 0 {
		debug.SetMemoryLimit(int64(f.TaskMemory) * 3 / 4)
		if err := limitMemory(uint64(f.TaskMemory)); err != nil {
			return nil, o, fmt.Errorf("limit memory: %w", err)
		}
		o.Memory = int64(f.TaskMemory) / 8
	}
	s, err := loadScript(f.Script)
	if err != nil {
		return nil, o, err
	}
	limits := script.DefaultLimits()
	limits.Call = f.CallTimeout
	definitions, err := f.open("")
	if err != nil {
		return nil, o, err
	}
	if definitions != nil { // open until the process ends
		limits.Definitions = definitions
	}
	// A native call that does not listen to interrupts, such as a regular
	// expression: only the end of the process ends it.
	limits.Stuck = func(err error) {
		os.Exit(cli.Report(st, "tmrun", f.end(engine.TaskStats{}, cli.Fail(cli.ExitLimit, err))))
	}
	return &script.Job{Script: s, Limits: limits, Console: consoleTo(st, s.Name), Counters: &f.counters}, o, nil
}

// end reports how the task ended, and returns the error for the exit code.
func (f *taskFlags) end(stats engine.TaskStats, err error) error {
	if !f.Status {
		return (&runCmd{}).explain(nil, err)
	}
	s := isolate.Status{TaskStats: stats}
	if err != nil {
		f.failed.add(err)
		s.Error, _ = json.Marshal(encodeError(err))
	}
	s.Report, _ = json.Marshal(taskReport{f.counters.All(), f.failed.calls})
	report := os.NewFile(3, "status")
	defer report.Close()
	if werr := json.NewEncoder(report).Encode(s); werr != nil && err == nil {
		return werr
	}
	return nil // the parent has it
}

// taskError is an error on its way from a child to its parent.
type taskError struct {
	Script *script.Error `json:"script,omitempty"`
	Text   string        `json:"text,omitempty"`
	Kind   string        `json:"kind,omitempty"` // a key of sentinels
}

// sentinels are the errors that decide the exit code.
var sentinels = map[string]error{
	"timeout": script.ErrTimeout, "stack": script.ErrStack, "bad line": engine.ErrBadLine, "stream": engine.ErrStream,
}

func encodeError(err error) taskError {
	t := taskError{Text: err.Error()}
	for kind, s := range sentinels {
		if errors.Is(err, s) {
			t.Kind = kind
		}
	}
	t.Script, _ = errors.AsType[*script.Error](err)
	return t
}

func decodeError(text json.RawMessage) error {
	var t taskError
	if err := json.Unmarshal(text, &t); err != nil {
		return fmt.Errorf("status of a task: %w", err)
	}
	if t.Script != nil {
		t.Script.Cause = sentinels[t.Kind]
		return t.Script
	}
	if s := sentinels[t.Kind]; s != nil {
		return fmt.Errorf("%w (%s)", s, t.Text)
	}
	return errors.New(t.Text)
}

// isolated returns the job that runs each task of c in a process of its own.
func (c *runCmd) isolated(st *cli.State, counters *script.Counters) (*isolate.Job, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find tmrun for --isolate: %w", err)
	}
	return &isolate.Job{
		TaskTime: c.TaskTimeout, Stderr: st.Stderr, Decode: decodeError,
		Report: func(text json.RawMessage) {
			var r taskReport
			if json.Unmarshal(text, &r) == nil {
				counters.Add(r.Counters)
				c.failed.keep(r.Failed)
			}
		},
		Command: func(ctx context.Context, kind string, t engine.Task, shard int) *exec.Cmd {
			args := []string{kind, "--status", "--max-errors=" + strconv.FormatInt(int64(c.MaxErrors), 10),
				"--call-timeout", c.CallTimeout.String(), "--task-memory", strconv.FormatInt(int64(c.TaskMemory), 10)}
			args = append(args, c.definitionFlags.args(c.DataDir)...)
			if kind == "map" {
				args = append(args, "--dims", t.Segment.Dims.String(), "--segment", t.String())
				if c.InputFilter != "" {
					args = append(args, "--input-filter", c.InputFilter)
				}
			} else {
				args = append(args, "--shard", strconv.Itoa(shard), "--rows")
			}
			cmd := exec.CommandContext(ctx, self, append(args, "--", c.Script)...)
			cmd.Env = []string{"TMPDIR=" + os.TempDir()}
			cmd.WaitDelay = time.Second
			return cmd
		},
	}, nil
}
