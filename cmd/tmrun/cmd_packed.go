package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/isolate"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// With --pack, map and reduce run tasks for an engine: package spark says how. What ends a
// task is a line on standard output, so that the engine can tell it from a machine that
// failed, and the exit status is 0.

// packedStatus says how a task ended. Its line begins with "!".
type packedStatus struct {
	Task int `json:"task"` // number of the task or of the shard
	isolate.Status
	Keys          int64    `json:"keys,omitempty"` // of a shard, as the next ones
	Rows          int64    `json:"rows,omitempty"`
	UndefinedRows int64    `json:"undefinedRows,omitempty"`
	Console       []string `json:"console,omitempty"`
	Sampled       int64    `json:"sampled,omitempty"` // records in the sample
}

func (p packedStatus) write(out io.Writer) error {
	text, err := json.Marshal(p)
	if err == nil {
		_, err = fmt.Fprintf(out, "!%s\n", text)
	}
	return err
}

// maxConsoleBytes bounds what a task sends of what its script logs.
const maxConsoleBytes = 64 << 10

// taskConsole keeps what a script logs. Safe for concurrent use.
type taskConsole struct {
	mu    sync.Mutex // protects what follows
	bytes int
	lines []string
}

func (t *taskConsole) log(name string) func(level, text string) {
	return func(level, text string) {
		t.mu.Lock()
		defer t.mu.Unlock()

		// What is printed beyond the bound is dropped, so that a status stays small.
		if t.bytes += len(text); t.bytes <= maxConsoleBytes {
			t.lines = append(t.lines, fmt.Sprintf("%s: %s: %s", name, level, cli.PrintableText(text)))
		}
	}
}

// runPacked runs the tasks of standard input, a line of JSON each.
func (c *mapCmd) runPacked(ctx context.Context, s *session) error {
	failed := func(task int, err error) error {
		return packedStatus{Task: task, Status: taskStatus(engine.TaskStats{}, err, &taskNotes{})}.write(s.st.Stdout)
	}

	pairs, err := engine.NewPackedPairs(s.st.Stdout, c.Pack)
	if err != nil {
		return err
	}

	// An error here is reported with each task, because each needs an answer.
	err = c.open(ctx, s)
	if err == nil {
		err = s.openTree(c.DataDir)
	}

	lines := bufio.NewReader(s.st.Stdin)
	for {
		line, readErr := lines.ReadBytes('\n')
		if readErr != nil && len(line) == 0 {
			return nil
		}

		task, decodeErr := engine.ParseTask(line)
		if decodeErr != nil {
			return decodeErr
		}

		// A job that does not start fails with each of its tasks.
		if err != nil {
			if err := failed(task.Index, err); err != nil {
				return err
			}
			continue
		}
		if err := c.runPackedTask(ctx, s, task, pairs); err != nil {
			return err
		}
	}
}

// runPackedTask runs one task. Its error is that of writing.
func (c *mapCmd) runPackedTask(ctx context.Context, s *session, task engine.Task, pairs *engine.PackedPairs) error {
	// Each task reports its own counters, fields and failed calls.
	var notes taskNotes
	var console taskConsole
	job, options := *s.job, s.engine
	job.Counters = &notes.counters
	job.Fields = &notes.fields
	job.Console = console.log(job.Script.Name)
	options.Rejected = notes.failed.add

	// The sample is of the records, so it wraps the job.
	var work engine.Job = &job
	var sampled *engine.Sampled
	if c.share() != engine.Whole() {
		sampled = engine.Sample(work, c.share())
		work = sampled
	}

	return engine.MapTasks(ctx, s.source, []engine.Task{task}, work, options, func(t engine.Task, done engine.TaskStats, merged engine.TaskPairs, err error) error {
		if err == nil {
			err = pairs.Task(t, merged)
		}

		// The status comes after the task's pairs, so it ends the task.
		status := packedStatus{Task: t.Index, Status: taskStatus(done, err, &notes), Console: console.lines}
		if sampled != nil {
			status.Sampled = sampled.Mapped()
		}
		return status.write(s.st.Stdout)
	})
}

// runPacked reduces the lines of one shard, the first of which is the shard's number.
func (c *reduceCmd) runPacked(ctx context.Context, s *session) error {
	in := bufio.NewReader(s.st.Stdin)
	head, err := in.ReadString('\n')
	if err != nil {
		return nil // not even a shard
	}

	shard, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(head, "#")))
	if err != nil {
		return fmt.Errorf("%w: the number of the shard", engine.ErrStream)
	}

	var notes taskNotes
	var console taskConsole
	stats, err := c.reducePacked(ctx, s, shard, in, &notes, &console)

	// The error is in the status, which the driver reads; only an error of writing ends this.
	status := packedStatus{Task: shard, Status: taskStatus(stats.TaskStats, err, &notes), Keys: stats.Keys, Rows: stats.Rows,
		UndefinedRows: stats.UndefinedRows, Console: console.lines}
	return status.write(s.st.Stdout)
}

func (c *reduceCmd) reducePacked(ctx context.Context, s *session, shard int, in io.Reader, notes *taskNotes, console *taskConsole) (engine.Stats, error) {
	if err := c.begin(s, ""); err != nil {
		return engine.Stats{}, err
	}
	if err := c.chooseTable(ctx, s); err != nil {
		return engine.Stats{}, err
	}

	job, options := *s.job, s.engine
	job.Counters = &notes.counters
	job.Fields = &script.Fields{}
	job.Console = console.log(job.Script.Name)
	options.Rejected = notes.failed.add
	return engine.ReducePacked(ctx, &job, shard, in, s.st.Stdout, options)
}
