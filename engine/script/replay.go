package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// Replay returns a job that makes the call again; what the call writes is the
// job's output. For mapFinished it takes the task's records, for the other calls
// one record, whatever that is. Of match and ingest, the script is that of j's
// filter, and whether it keeps the record is written.
func (j *Job) Replay(c *Call) (engine.Job, error) {
	if c.Version != 1 {
		return nil, fmt.Errorf("the call has version %d, want 1", c.Version)
	}
	switch c.Phase {
	case declare.Match, declare.Ingest, declare.Map, declare.MapFinished:
	case declare.Combine, declare.Reduce:
		if len(c.Data) == 0 {
			return nil, errors.New("the call has no data")
		}
		for _, d := range c.Data {
			if _, rest, err := datum.Skip(d); err != nil || len(rest) > 0 {
				return nil, fmt.Errorf("data of the call: %w", datum.ErrMalformed)
			}
		}
	default:
		return nil, fmt.Errorf("calls of %q cannot be replayed", c.Phase)
	}
	return &replay{job: j, call: c}, nil
}

// OfFilter says whether the call is of a filter's function.
func (c *Call) OfFilter() bool { return c.Phase == declare.Match || c.Phase == declare.Ingest }

// replay makes one call.
type replay struct {
	job  *Job
	call *Call
}

func (r *replay) Remote() bool { return false }

func (r *replay) NewMapper(ctx context.Context, t engine.Task, emit engine.Emit) (engine.Mapper, error) {
	if r.call.OfFilter() {
		m, err := r.job.Filter.newMatcher(ctx, r.job.Limits, r.job.Console)
		if err != nil {
			return nil, err
		}
		m.h.SetDims(t.Segment.Dims)
		return &judgeMapper{matcher: m, task: t, line: r.call.Line, emit: emit}, nil
	}
	m := &replayMapper{call: r.call, emit: emit, mute: r.call.Phase == declare.MapFinished}
	var err error
	m.Mapper, err = r.job.NewMapper(ctx, t, func(key, value []byte) error {
		if m.mute {
			return nil
		}
		return emit(key, value)
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (r *replay) NewReducer(ctx context.Context, shard int, out *engine.Output) (engine.Reducer, error) {
	if r.call.Phase == declare.Reduce {
		return r.job.NewReducer(ctx, shard, out)
	}
	return rowWriter{out}, nil
}

type replayMapper struct {
	engine.Mapper
	call *Call
	emit engine.Emit
	mute bool // what is emitted is not what was asked for
}

func (m *replayMapper) Map(line []byte, n int64) error {
	switch m.call.Phase {
	case declare.Map:
		return m.Mapper.Map(line, m.call.Line)
	case declare.MapFinished:
		if err := m.Mapper.Map(line, n); fatal(err) {
			return err
		}
		return nil // rejected then, rejected now
	}
	for _, v := range m.call.Data[1:] {
		if err := m.emit(m.call.Data[0], v); err != nil {
			return err
		}
	}
	return nil
}

func (m *replayMapper) Finish() (engine.TaskStats, error) {
	if m.call.Phase != declare.MapFinished {
		return engine.TaskStats{}, nil
	}
	m.mute = false
	return m.Mapper.Finish()
}

func (m *replayMapper) Combines() bool { return m.call.Phase == declare.Combine && m.Mapper.Combines() }

// judgeMapper emits whether a filter keeps the record.
type judgeMapper struct {
	*matcher
	task engine.Task
	line int64
	emit engine.Emit
}

func (m *judgeMapper) Map(line []byte, _ int64) error {
	id, text, _ := bytes.Cut(line, []byte("\t"))
	d, err := m.judge(id, text, recordPlace(m.task, id, m.line))
	if err != nil {
		return err
	}
	return m.emit(datum.AppendString(nil, id), datum.AppendBool(nil, d.Action == Keep))
}

func (m *judgeMapper) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }
func (m *judgeMapper) Combines() bool                    { return false }
func (m *judgeMapper) Effects() bool                     { return false }
func (m *judgeMapper) Close()                            { m.close() }

func (m *judgeMapper) Combine([]byte, *engine.Values, func([]byte)) error { return nil }

// rowWriter writes every value as a row.
type rowWriter struct{ out *engine.Output }

func (rowWriter) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }

func (w rowWriter) Reduce(key []byte, values *engine.Values) error {
	for {
		v, err := values.Next()
		if err != nil || v == nil {
			return err
		}
		if err := w.out.Row(key, v); err != nil {
			return err
		}
	}
}

func (w rowWriter) Close() {}
