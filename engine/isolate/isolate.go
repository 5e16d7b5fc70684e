// Package isolate runs each map and reduce task in a process of its own, which
// can be bounded in memory and killed, as the JavaScript interpreter cannot.
//
// The child is a program that speaks the streams of package engine on its
// standard input and output, and on file descriptor 3 says in one JSON document
// how it ended (Status). It gets no environment but what Job.Command sets, and
// needs no files: the data come through the pipe.
package isolate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
)

// ErrMemory is returned (wrapped) when a child needed more memory than it may have.
var ErrMemory = errors.New("the script needs more memory than its limit")

// ErrKilled is returned (wrapped) when a child was killed: its time was over, or
// the system was short of memory.
var ErrKilled = errors.New("the task's process was killed")

// Status is how a task ended, as the child reports it.
type Status struct {
	engine.TaskStats
	Error  json.RawMessage `json:"error,omitempty"`  // of the kind that Job.Decode knows
	Report json.RawMessage `json:"report,omitempty"` // what else the child has to say, for Job.Report
}

// Job runs tasks in children. It is immutable and safe for concurrent use.
type Job struct {
	// Command returns the command of one task; kind is "map" or "reduce", t is
	// zero for reduce, shard for map.
	Command func(ctx context.Context, kind string, t engine.Task, shard int) *exec.Cmd
	// Decode returns the error that a child has reported.
	Decode func(json.RawMessage) error
	// Report takes what a child has reported beside that; nil drops it. Safe for concurrent use.
	Report func(json.RawMessage)
	// TaskTime is how long one task may take; 0 is no limit.
	TaskTime time.Duration
	// Stderr gets what children print. Safe for concurrent use.
	Stderr io.Writer
}

var _ engine.Job = (*Job)(nil)

// child is one running process.
type child struct {
	job    *Job
	cmd    *exec.Cmd
	cancel context.CancelFunc
	stdin  *bufio.Writer
	pipe   io.WriteCloser
	read   chan error // what reading stdout ended with
	status chan Status
	stderr tail
	ended  bool
}

// start runs a command and reads its standard output with read.
func (j *Job) start(ctx context.Context, kind string, t engine.Task, shard int, read func(io.Reader) error) (*child, error) {
	var cancel context.CancelFunc
	if j.TaskTime > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, j.TaskTime, fmt.Errorf("%w after %s", ErrKilled, j.TaskTime))
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	c := &child{job: j, cancel: cancel, read: make(chan error, 1), status: make(chan Status, 1)}
	c.cmd = j.Command(ctx, kind, t, shard)
	c.stderr.w = j.Stderr
	c.cmd.Stderr = &c.stderr
	fail := func(err error) (*child, error) {
		cancel()
		return nil, fmt.Errorf("start %s task: %w", kind, err)
	}
	report, reportEnd, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer reportEnd.Close()
	c.cmd.ExtraFiles = []*os.File{reportEnd}
	if c.pipe, err = c.cmd.StdinPipe(); err != nil {
		return fail(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		report.Close()
		return fail(err)
	}
	c.stdin = bufio.NewWriterSize(c.pipe, 64<<10)
	go func() {
		err := read(stdout)
		if err != nil {
			io.Copy(io.Discard, stdout) // let the child end
		}
		c.read <- err
	}()
	go func() {
		defer report.Close()
		var s Status
		json.NewDecoder(report).Decode(&s) // a child that died has not written it
		c.status <- s
	}()
	return c, nil
}

// finish ends the input, waits for the child and returns how it ended.
func (c *child) finish(ctx context.Context) (Status, error) {
	if c.ended {
		return Status{}, nil
	}
	c.ended = true
	defer c.cancel()
	c.stdin.Flush() // a child that died early says why below
	c.pipe.Close()
	readErr := <-c.read
	s := <-c.status
	err := c.cmd.Wait()
	if len(s.Report) > 0 && c.job.Report != nil {
		c.job.Report(s.Report)
	}
	switch {
	case len(s.Error) > 0:
		return s, c.job.Decode(s.Error)
	case ctx.Err() != nil:
		return s, context.Cause(ctx)
	case readErr != nil:
		return s, readErr
	case err == nil:
		return s, nil
	}
	text := c.stderr.String()
	if strings.Contains(text, "out of memory") || strings.Contains(text, "cannot allocate memory") {
		return s, ErrMemory
	}
	if state := c.cmd.ProcessState; state != nil && !state.Exited() {
		return s, fmt.Errorf("%w (%s)", ErrKilled, state)
	}
	return s, fmt.Errorf("task process: %w\n%s", err, text)
}

// close kills a child that has not been finished.
func (c *child) close() {
	if !c.ended {
		c.ended = true
		c.cancel()
		c.pipe.Close()
		<-c.read
		<-c.status
		c.cmd.Wait()
	}
}

// NewMapper implements engine.Job.
func (j *Job) NewMapper(ctx context.Context, t engine.Task, emit engine.Emit) (engine.Mapper, error) {
	c, err := j.start(ctx, "map", t, 0, func(r io.Reader) error { return engine.DecodeEntries(r, emit) })
	if err != nil {
		return nil, err
	}
	return &mapper{child: c, ctx: ctx}, nil
}

type mapper struct {
	*child
	ctx   context.Context
	stats engine.TaskStats
}

var _ engine.Counted = (*mapper)(nil)

// Map implements engine.Mapper.
func (m *mapper) Map(line []byte, _ int64) error {
	m.stdin.Write(line)
	if m.stdin.WriteByte('\n') == nil {
		return nil
	}
	if err := m.Finish(); err != nil { // why it does not read any more
		return err
	}
	return fmt.Errorf("%w: it has stopped reading", ErrKilled)
}

// Finish implements engine.Mapper.
func (m *mapper) Finish() error {
	s, err := m.finish(m.ctx)
	m.stats = s.TaskStats
	return err
}

// Counts implements engine.Counted.
func (m *mapper) Counts() engine.TaskStats { return m.stats }

// HasEffects implements engine.Effects.
func (m *mapper) HasEffects() bool { return m.stats.Effects }

// Combines implements engine.Mapper: the child has combined.
func (m *mapper) Combines() bool { return false }

// Combine implements engine.Mapper.
func (m *mapper) Combine([]byte, *engine.Values, func([]byte)) error { return nil }

// Close implements engine.Mapper.
func (m *mapper) Close() { m.close() }

// NewReducer implements engine.Job.
func (j *Job) NewReducer(ctx context.Context, shard int, out *engine.Output) (engine.Reducer, error) {
	c, err := j.start(ctx, "reduce", engine.Task{}, shard, func(r io.Reader) error { return engine.DecodeRows(r, out) })
	if err != nil {
		return nil, err
	}
	return &reducer{child: c, ctx: ctx}, nil
}

type reducer struct {
	*child
	ctx   context.Context
	buf   []byte
	stats engine.TaskStats
}

var _ engine.Counted = (*reducer)(nil)

// Counts implements engine.Counted.
func (r *reducer) Counts() engine.TaskStats { return r.stats }

// Reduce implements engine.Reducer.
func (r *reducer) Reduce(key []byte, values *engine.Values) error {
	for {
		v, err := values.Next()
		if err != nil || v == nil {
			return err
		}
		r.buf = engine.EncodeEntry(r.buf[:0], key, v)
		if _, err := r.stdin.Write(r.buf); err != nil {
			if err := r.Finish(); err != nil {
				return err
			}
			return fmt.Errorf("%w: it has stopped reading", ErrKilled)
		}
	}
}

// Finish implements engine.Reducer.
func (r *reducer) Finish() error {
	s, err := r.finish(r.ctx)
	r.stats = s.TaskStats
	return err
}

// Close implements engine.Reducer.
func (r *reducer) Close() { r.close() }

// tail passes on the lines that a child prints, until it dies: then it keeps what
// Go says about that.
type tail struct {
	w     io.Writer
	line  []byte // not whole yet
	crash bytes.Buffer
}

// crashBytes is how much of a crash is kept; its first lines say why.
const crashBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	if t.crash.Len() == 0 {
		t.line = append(t.line, p...)
		for {
			i := bytes.IndexByte(t.line, '\n')
			if i < 0 {
				return len(p), nil
			}
			if bytes.HasPrefix(t.line, []byte("fatal error: ")) || bytes.HasPrefix(t.line, []byte("runtime: ")) || bytes.HasPrefix(t.line, []byte("panic: ")) {
				t.crash.Write(t.line)
				return len(p), nil
			}
			if t.w != nil {
				t.w.Write(t.line[:i+1])
			}
			t.line = t.line[i+1:]
		}
	}
	if left := crashBytes - t.crash.Len(); left > 0 {
		t.crash.Write(p[:min(len(p), left)])
	}
	return len(p), nil
}

func (t *tail) String() string { return t.crash.String() + string(t.line) }
