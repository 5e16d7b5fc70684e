package isolate

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
)

// ErrMemory is returned (wrapped) when a child needed more memory than it may have.
var ErrMemory = errors.New("the script needs more memory than its limit")

// ErrKilled is returned (wrapped) when a child was killed: its time was over, or
// the system was short of memory.
var ErrKilled = errors.New("the task's process was killed")

// Job runs tasks in children. It is safe for concurrent use; its fields do not
// change. Close ends the children.
type Job struct {
	// Command returns the command of a child, which calls Server.Serve.
	Command func() *exec.Cmd
	// Decode returns the error that a child has reported.
	Decode func(json.RawMessage) error
	// Report is called with what a child has reported beside that; nil drops it. Safe for
	// concurrent use.
	Report func(json.RawMessage)
	// AllKeys is what OneShard returns.
	AllKeys bool
	// TaskTime is how long one task may take; 0 is no limit.
	TaskTime time.Duration
	// Stderr gets what children print. Safe for concurrent use.
	Stderr io.Writer

	mu   sync.Mutex // protects idle
	idle []*child
}

var _ engine.Job = (*Job)(nil)

// child returns an idle child, or a fresh one.
func (j *Job) child() (found *child, fresh bool, err error) {
	j.mu.Lock()
	if last := len(j.idle) - 1; last >= 0 {
		found = j.idle[last]
		j.idle = j.idle[:last]
	}
	j.mu.Unlock()

	if found != nil {
		return found, false, nil
	}

	found, err = startChild(j.Command(), j.Stderr)
	return found, true, err
}

// release makes a child idle.
func (j *Job) release(c *child) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.idle = append(j.idle, c)
}

// Close ends the idle children, which are all when no task runs.
func (j *Job) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, idle := range j.idle {
		idle.end()
	}
	j.idle = nil
}

// OneShard implements engine.Job.
func (j *Job) OneShard(context.Context) (bool, error) { return j.AllKeys, nil }

// Remote implements engine.Job.
func (j *Job) Remote() bool { return true }

// NewMapper implements engine.Job.
func (j *Job) NewMapper(ctx context.Context, t engine.Task, emit engine.Emit) (engine.Mapper, error) {
	header := Task{Kind: "map", Segment: t.String(), Dims: t.Segment.Dims}
	for _, part := range t.Segment.Parts {
		header.Parts = append(header.Parts, part.Dims)
	}
	session, err := j.begin(ctx, header,
		func(r io.Reader) error { return engine.DecodeTask(r, t, emit) })
	if err != nil {
		return nil, err
	}
	return &mapper{session: session}, nil
}

type mapper struct {
	*session
	done engine.TaskStats // of the child, when it has finished
	buf  []byte
}

// Map implements engine.Mapper.
func (m *mapper) Map(record *engine.Record, _ int64) (err error) {
	m.buf, err = engine.AppendStreamLine(m.buf[:0], record)
	if err != nil {
		return err
	}

	if _, err := m.child.in.Write(m.buf); err != nil {
		return m.stopped()
	}
	return nil
}

// Finish implements engine.Mapper.
func (m *mapper) Finish() (engine.TaskStats, error) {
	status, err := m.finish()
	m.done = status.TaskStats
	return status.TaskStats, err
}

// Effects implements engine.Mapper.
func (m *mapper) Effects() bool { return m.done.Effects }

// Lookups implements engine.Mapper.
func (m *mapper) Lookups() string { return m.done.Lookups }

// Combines implements engine.Mapper: the child has combined.
func (m *mapper) Combines() bool { return false }

// Combine implements engine.Mapper.
func (m *mapper) Combine([]byte, *engine.Values, func([]byte)) error { return nil }

// Close implements engine.Mapper.
func (m *mapper) Close() { m.close() }

// NewReducer implements engine.Job.
func (j *Job) NewReducer(ctx context.Context, shard int, out *engine.Output) (engine.Reducer, error) {
	session, err := j.begin(ctx, Task{Kind: "reduce", Shard: shard},
		func(r io.Reader) error { return engine.DecodeRows(r, out) })
	if err != nil {
		return nil, err
	}
	return &reducer{session: session}, nil
}

type reducer struct {
	*session
	buf []byte
}

// Reduce implements engine.Reducer.
func (r *reducer) Reduce(key []byte, values *engine.Values) error {
	// The child gets pairs, and groups those that follow each other by their key.
	for {
		value, err := values.Next()
		if err != nil || value == nil {
			return err
		}

		r.buf = engine.EncodeEntry(r.buf[:0], key, value)
		if _, err := r.child.in.Write(r.buf); err != nil {
			return r.stopped()
		}
	}
}

// Finish implements engine.Reducer.
func (r *reducer) Finish() (engine.TaskStats, error) {
	status, err := r.finish()
	return status.TaskStats, err
}

// Close implements engine.Reducer.
func (r *reducer) Close() { r.close() }
