package script

import (
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
	if c.Version != callVersion {
		return nil, fmt.Errorf("the call has version %d, want %d", c.Version, callVersion)
	}

	// A Call is read from a file, so its data may be anything.
	switch c.Phase {
	case declare.Match, declare.Ingest, declare.Map, declare.MapFinished:
	case declare.Combine, declare.Reduce:
		if len(c.Data) == 0 {
			return nil, errors.New("the call has no data")
		}
		for _, encoded := range c.Data {
			_, rest, err := datum.Skip(encoded)
			if err != nil || len(rest) > 0 {
				return nil, fmt.Errorf("data of the call: %w", datum.ErrMalformed)
			}
		}
	default:
		return nil, fmt.Errorf("calls of %q cannot be replayed", c.Phase)
	}

	return &replay{job: j, call: c}, nil
}

// OfFilter reports whether the call is of a filter's function.
func (c *Call) OfFilter() bool { return c.Phase == declare.Match || c.Phase == declare.Ingest }

// replay makes one call.
type replay struct {
	job  *Job
	call *Call
}

// OneShard implements engine.Job.
func (r *replay) OneShard(context.Context) (bool, error) { return false, nil }

// Remote implements engine.Job.
func (r *replay) Remote() bool { return false }

// NewMapper implements engine.Job.
func (r *replay) NewMapper(ctx context.Context, t engine.Task, emit engine.Emit) (engine.Mapper, error) {
	if r.call.OfFilter() {
		filter, err := r.job.Filter.newRuntime(ctx, r.job.Limits, r.job.Console)
		if err != nil {
			return nil, err
		}
		if err := filter.h.enter(t.Segment.Dims); err != nil {
			filter.close()
			return nil, err
		}
		return &decisionMapper{filter: filter, task: t, line: r.call.Line, emit: emit}, nil
	}

	made := &replayMapper{call: r.call, emit: emit, mute: r.call.Phase == declare.MapFinished}
	var err error
	made.mapper, err = newMapper(ctx, r.job, t, func(key, value []byte) error {
		if made.mute {
			return nil
		}
		return emit(key, value)
	})
	if err != nil {
		return nil, err
	}

	return made, nil
}

// NewReducer implements engine.Job.
func (r *replay) NewReducer(ctx context.Context, shard int, out *engine.Output) (engine.Reducer, error) {
	if r.call.Phase == declare.Reduce {
		reducer, err := r.job.NewReducer(ctx, shard, out)
		return replayReducer{reducer}, err
	}

	// What map has added to tables becomes their rows.
	if r.call.Phase == declare.Map {
		set, err := r.job.Script.Tables(ctx, r.job.Limits)
		if err != nil {
			return nil, err
		}
		if set != nil {
			return r.job.NewReducer(ctx, shard, out)
		}
	}
	return rowWriter{out}, nil
}

// replayReducer makes one call of reduce: reduceFinished would see no other key.
type replayReducer struct{ engine.Reducer }

// Finish implements engine.Reducer.
func (replayReducer) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }

// replayMapper makes a call of map or mapFinished, or emits the values of one of
// combine or reduce.
type replayMapper struct {
	*mapper
	call *Call
	emit engine.Emit
	mute bool // drops what map emits before mapFinished is called
}

// Map implements engine.Mapper.
func (m *replayMapper) Map(record *engine.Record, n int64) error {
	switch m.call.Phase {
	case declare.Map:
		return m.mapper.Map(record, m.call.Line)
	case declare.MapFinished:
		// A record that was rejected then is rejected now.
		if err := m.mapper.Map(record, n); fatal(err) {
			return err
		}
		return nil
	}

	// The engine combines or reduces them, as it did when the call failed.
	key, values := m.call.Data[0], m.call.Data[1:]
	for _, value := range values {
		if err := m.emit(key, value); err != nil {
			return err
		}
	}

	return nil
}

// Finish implements engine.Mapper.
func (m *replayMapper) Finish() (engine.TaskStats, error) {
	inTables := m.call.Phase == declare.Map && m.mapper.tables != nil
	if m.call.Phase != declare.MapFinished && !inTables {
		return engine.TaskStats{}, nil
	}
	m.mute = false
	return m.mapper.Finish()
}

// Combines implements engine.Mapper.
func (m *replayMapper) Combines() bool { return m.call.Phase == declare.Combine && m.mapper.Combines() }

// decisionMapper emits whether a filter keeps the record.
type decisionMapper struct {
	filter *filterRuntime
	task   engine.Task
	line   int64
	emit   engine.Emit
}

// Map implements engine.Mapper.
func (m *decisionMapper) Map(record *engine.Record, _ int64) error {
	id, _, err := record.ID()
	if err != nil {
		return err
	}
	decided, err := m.filter.decideRecord(id, record, m.task, m.line)
	if err != nil {
		return err
	}
	return m.emit(datum.AppendString(nil, id), datum.AppendBool(nil, decided.Action == Keep))
}

// Finish implements engine.Mapper.
func (m *decisionMapper) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }

// Combines implements engine.Mapper.
func (m *decisionMapper) Combines() bool { return false }

// Effects implements engine.Mapper.
func (m *decisionMapper) Effects() bool { return false }

// Lookups implements engine.Mapper: decisions are not cached.
func (m *decisionMapper) Lookups() string { return "" }

// Combine implements engine.Mapper; it is not called.
func (m *decisionMapper) Combine([]byte, *engine.Values, func(value []byte)) error { return nil }

// Close implements engine.Mapper.
func (m *decisionMapper) Close() { m.filter.close() }
