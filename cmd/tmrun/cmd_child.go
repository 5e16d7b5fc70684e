package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/isolate"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// childCmd is the process that --isolate starts: it runs map and reduce tasks, one
// after the other, as package isolate's protocol sends them.
type childCmd struct {
	taskFlags
	InputFilter string `predictor:"filter" name:"input-filter" help:"Filter whose match decides each record."`
	Table       string `help:"The only table of the script that is written."`
	Profile     bool   `help:"Report a profile of each task."`
}

// Help is the long help.
func (c *childCmd) Help() string {
	return `Runs the tasks that tmrun --isolate sends on standard input.

EXIT STATUS: 0 done, whether the tasks failed or not; 6 a call could not be ended.`
}

// statusFile is the file descriptor on which the parent reads how tasks ended.
const statusFile = 3

// Run implements the command. Errors go to the parent, which prints them.
func (c *childCmd) Run(ctx context.Context, st *cli.State) error {
	server := isolate.NewServer(st.Stdin, st.Stdout, os.NewFile(statusFile, "status"))
	s := newSession(st)
	defer s.close()

	// Without its job a child can run nothing: its only status is the error.
	err := c.begin(s, "")
	s.job.Table = c.Table
	if err == nil {
		err = s.loadFilter(ctx, c.InputFilter)
	}
	if err != nil {
		return server.Report(taskStatus(engine.TaskStats{}, err, &taskNotes{}))
	}

	return server.Serve(func(t isolate.Task, in io.Reader, out io.Writer) isolate.Status {
		// Each task reports its own counters, fields and failed calls.
		var notes taskNotes
		job, options := *s.job, s.engine
		job.Counters = &notes.counters
		job.Fields = &notes.fields
		options.Rejected = notes.failed.add

		// A call that cannot be interrupted ends this process; report it before.
		job.Limits.Stuck = func(err error) {
			server.Report(taskStatus(engine.TaskStats{}, err, &notes))
			os.Exit(cli.ExitLimit)
		}

		stop := func() error { return nil }
		if c.Profile {
			var err error
			if stop, err = job.Script.StartProfile(&notes.profile); err != nil {
				return taskStatus(engine.TaskStats{}, err, &notes)
			}
		}

		stats, err := runTask(ctx, &job, t, in, out, options)
		return taskStatus(stats, errors.Join(err, stop()), &notes)
	})
}

// runTask runs one map or reduce task from in to out.
func runTask(ctx context.Context, job engine.Job, t isolate.Task, in io.Reader, out io.Writer, o engine.Options) (engine.TaskStats, error) {
	// The parent sends the records of the task, whatever part of a segment it is.
	if t.Kind == "map" {
		return engine.MapStream(ctx, job, t.MapTask(), in, out, o)
	}

	sink := engine.NewEncodeRows(out)
	stats, err := engine.ReduceStream(ctx, job, t.Shard, in, sink, o)
	return stats, errors.Join(err, sink.Close())
}

// taskNotes are what a task leaves beside its result.
type taskNotes struct {
	counters script.Counters
	fields   script.Fields
	failed   failedCalls
	profile  bytes.Buffer
}

// taskStatus is how a task ended, as the parent reads it.
func taskStatus(stats engine.TaskStats, err error, notes *taskNotes) isolate.Status {
	// The call that ended the task was not tolerated, so it is not in failed yet.
	status := isolate.Status{TaskStats: stats}
	if err != nil {
		notes.failed.add(err)
		status.Error = encodeError(err)
	}

	// The parent adds the report to what the job has counted.
	status.Report, _ = json.Marshal(taskReport{notes.counters.All(), notes.fields.All(), notes.failed.calls, notes.profile.Bytes()}) // strings and numbers: it cannot fail
	return status
}
