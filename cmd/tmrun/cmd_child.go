package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/isolate"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout"
)

// childCmd is what --isolate starts: it does map and reduce tasks, one after the
// other.
type childCmd struct {
	taskFlags
	InputFilter string `predictor:"filter" name:"input-filter" help:"Filter whose match judges each record."`
}

// taskReport is what a child says beside how a task ended: what its script
// counted, and calls that can be replayed.
type taskReport struct {
	Counters map[string]int64 `json:"counters,omitempty"`
	Failed   []*script.Call   `json:"failed,omitempty"`
}

// Run implements the command. Whatever goes wrong is the parent's to tell.
func (c *childCmd) Run(ctx context.Context, st *cli.State) error {
	server := isolate.NewServer(st.Stdin, st.Stdout, os.NewFile(3, "status"))
	job, o, err := c.begin(st)
	if err == nil {
		job.Filter, err = loadFilter(ctx, c.InputFilter, job.Limits, job.Console)
	}
	if err != nil {
		return server.Report(taskStatus(engine.TaskStats{}, err, &script.Counters{}, &failedCalls{}))
	}
	return server.Serve(func(t isolate.Task, in io.Reader, out io.Writer) isolate.Status {
		var counters script.Counters
		var failed failedCalls
		job, o := *job, o
		job.Counters, o.Rejected = &counters, failed.add
		job.Limits.Stuck = func(err error) {
			server.Report(taskStatus(engine.TaskStats{}, err, &counters, &failed))
			os.Exit(cli.ExitLimit)
		}
		stats, err := runTask(ctx, &job, t, in, out, o)
		return taskStatus(stats, err, &counters, &failed)
	})
}

func runTask(ctx context.Context, job engine.Job, t isolate.Task, in io.Reader, out io.Writer, o engine.Options) (engine.TaskStats, error) {
	if t.Kind == "map" {
		segment := engine.Segment{Segment: layout.Segment{Path: t.Segment, Dims: t.Dims}}
		return engine.MapStream(ctx, job, engine.Task{Segment: segment, Hi: -1}, in, out, o)
	}
	sink := engine.NewEncodeRows(out)
	stats, err := engine.ReduceStream(ctx, job, t.Shard, in, sink, o)
	return stats, errors.Join(err, sink.Close())
}

func taskStatus(stats engine.TaskStats, err error, counters *script.Counters, failed *failedCalls) isolate.Status {
	s := isolate.Status{TaskStats: stats}
	if err != nil {
		failed.add(err)
		s.Error, _ = json.Marshal(encodeError(err)) // of strings and numbers
	}
	s.Report, _ = json.Marshal(taskReport{counters.All(), failed.calls})
	return s
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
		Command: func() *exec.Cmd {
			args := []string{"child", "--max-errors", strconv.FormatInt(int64(c.MaxErrors), 10),
				"--call-timeout", c.CallTimeout.String(), "--task-memory", strconv.FormatInt(int64(c.TaskMemory), 10)}
			args = append(args, c.definitionFlags.args(c.DataDir)...)
			if c.InputFilter != "" {
				args = append(args, "--input-filter", c.InputFilter)
			}
			cmd := exec.Command(self, append(args, "--", c.Script)...)
			cmd.Env = []string{"TMPDIR=" + os.TempDir()}
			return cmd
		},
	}, nil
}
