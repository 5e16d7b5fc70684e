package script

import (
	"bytes"
	"context"
	"fmt"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// Job runs a script's map, combine and reduce. It is immutable and safe for
// concurrent use.
type Job struct {
	Script  *Script
	Filter  *FilterScript // nil: every record
	Limits  Limits
	Console func(level, text string) // nil drops; safe for concurrent use

	Counters *Counters // nil: nobody counts
}

var _ engine.Job = (*Job)(nil)

// Remote implements engine.Job: scripts run in this process.
func (j *Job) Remote() bool { return false }

// NewMapper implements engine.Job.
func (j *Job) NewMapper(ctx context.Context, t engine.Task, emit engine.Emit) (engine.Mapper, error) {
	m := &mapper{task: t, counters: j.Counters}
	var err error
	if j.Filter != nil && j.Filter.judges() {
		if m.filter, err = j.Filter.newMatcher(ctx, j.Limits, j.Console); err != nil {
			return nil, err
		}
		m.filter.h.SetDims(t.Segment.Dims)
	}
	m.h, err = newHost(ctx, j.Script, j.Limits, j.Console, func(h *host) error {
		if m.fn = h.function(declare.Map); m.fn == nil {
			return j.Script.NoMap(h.exports.Keys())
		}
		m.finished = h.function(declare.MapFinished)
		m.combine = h.function(declare.Combine)
		h.SetDims(t.Segment.Dims)
		m.ctx = h.newContext(declare.Map, func(key, value []byte) error { return emit(key, value) })
		m.combineCtx = h.newContext(declare.Combine, func(key, value []byte) error {
			if !bytes.Equal(key, m.combineKey) {
				h.ThrowType("combine was called with key %s but wrote key %s",
					datum.AppendJSON(nil, m.combineKey), datum.AppendJSON(nil, key))
			}
			m.put(value)
			return nil
		})
		return nil
	})
	if err != nil {
		m.filter.close()
		return nil, err
	}
	return m, nil
}

// CacheKey identifies what map and combine do: the script, and the filter's
// script if that judges records. What the filter leaves out before is not mapped.
func (j *Job) CacheKey() []byte {
	sum := j.Script.Hash()
	key := sum[:]
	if j.Filter != nil && j.Filter.judges() {
		sum := j.Filter.script.Hash()
		key = append(key, sum[:]...)
	}
	if j.Limits.Definitions == nil {
		key = append(key, "no definitions"...)
	}
	return append(key, cacheVersion...)
}

// cacheVersion changes with what a script sees or how values cross.
const cacheVersion = "1"

// mapper runs one map task in one runtime.
type mapper struct {
	h        *host
	task     engine.Task
	filter   *matcher
	fn       goja.Callable
	finished goja.Callable
	combine  goja.Callable

	ctx, combineCtx *goja.Object
	combineKey      []byte
	put             func([]byte)
	counters        *Counters
}

// Map implements engine.Mapper.
func (m *mapper) Map(line []byte, n int64) error {
	tab := bytes.IndexByte(line, '\t')
	if tab < 0 {
		return &engine.RejectError{Err: fmt.Errorf("%s:%d: %w", m.task, n, engine.ErrBadLine)}
	}
	id, text := line[:tab], line[tab+1:]
	if m.filter != nil {
		d, err := m.filter.judge(id, text, recordPlace(m.task, id, n))
		if err != nil {
			return rejection(err, recordCall(m.filter.h.script, phaseOf(err), m.task, id, text, n))
		}
		if d.Action != Keep {
			return nil
		}
	}
	h := m.h
	h.NextPing()
	err := h.guard(func() error {
		_, err := m.fn(goja.Undefined(), h.rt.ToValue(string(id)), h.Dims(), h.Ping(text), m.ctx)
		return err
	})
	if err == nil {
		h.counts.keep()
		return nil
	}
	h.counts.drop()
	return rejection(h.script.wrap(err, declare.Map, recordPlace(m.task, id, n)), recordCall(h.script, declare.Map, m.task, id, text, n))
}

func recordPlace(t engine.Task, id []byte, n int64) string {
	return fmt.Sprintf("record %s in %s:%d", id, t, n)
}

// Finish implements engine.Mapper.
func (m *mapper) Finish() (engine.TaskStats, error) {
	m.h.NextPing()
	if m.finished == nil {
		return engine.TaskStats{}, nil
	}
	err := m.h.guard(func() error {
		_, err := m.finished(goja.Undefined(), m.ctx)
		return err
	})
	if err == nil {
		m.h.counts.keep()
		return engine.TaskStats{}, nil
	}
	m.h.counts.drop()
	err = m.h.script.wrap(err, declare.MapFinished, "after the last record of "+m.task.String())
	return engine.TaskStats{}, rejection(err, &Call{Script: m.h.script.Name, Phase: declare.MapFinished, Segment: m.task.String(), Dims: m.task.Segment.Dims})
}

// Effects implements engine.Mapper.
func (m *mapper) Effects() bool {
	return m.h.logged || m.h.Missed() || len(m.h.counts.all)+len(m.h.counts.record) > 0 || m.filter != nil && (m.filter.h.logged || m.filter.h.Missed())
}

// Combines implements engine.Mapper.
func (m *mapper) Combines() bool { return m.combine != nil }

// Combine implements engine.Mapper.
func (m *mapper) Combine(key []byte, values *engine.Values, put func([]byte)) error {
	outerKey, outerPut := m.combineKey, m.put
	defer func() { m.combineKey, m.put = outerKey, outerPut }()
	written := false
	m.combineKey, m.put = key, func(value []byte) {
		written = true
		put(value)
	}
	err := m.h.guard(func() error {
		list, end := m.h.ValuesOf(values)
		defer end()
		v, err := m.combine(goja.Undefined(), m.h.Decode(key), list, m.combineCtx)
		if err == nil && !written {
			err = unwritten(declare.Combine, v)
		}
		return err
	})
	if err == nil {
		return nil
	}
	err = m.h.script.wrap(err, declare.Combine, "key "+string(datum.AppendJSON(nil, key)))
	return rejection(err, keyCall(m.h.script, declare.Combine, key, values))
}

// unwritten returns an error if a function that has written nothing seems to have
// returned what it should have written: v. That is not false, 0 and the like,
// which `n > 9 && ctx.write(key, n)` returns.
func unwritten(function string, v goja.Value) error {
	if _, isBool := v.Export().(bool); isBool || !v.ToBoolean() {
		return nil
	}
	return fmt.Errorf("%s returned a value, which nobody reads, and wrote none: ctx.write(key, value)", function)
}

// Close implements engine.Mapper.
func (m *mapper) Close() {
	m.h.counts.flush(m.counters)
	m.h.close()
	m.filter.close()
}

// NewReducer implements engine.Job.
func (j *Job) NewReducer(ctx context.Context, _ int, out *engine.Output) (engine.Reducer, error) {
	r := &reducer{out: out, counters: j.Counters}
	var err error
	r.h, err = newHost(ctx, j.Script, j.Limits, j.Console, func(h *host) error {
		r.fn = h.function(declare.Reduce)
		r.ctx = h.newReduceContext(out)
		if setup := h.function(declare.SetupReduce); setup != nil {
			_, err := setup(goja.Undefined(), r.ctx)
			return j.Script.wrap(err, declare.SetupReduce, "")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// reducer runs one shard in one runtime.
type reducer struct {
	h   *host
	out *engine.Output
	fn  goja.Callable
	ctx *goja.Object

	counters *Counters
}

// Reduce implements engine.Reducer. A job without reduce writes every value.
func (r *reducer) Reduce(key []byte, values *engine.Values) error {
	if r.fn == nil {
		return rowWriter{r.out}.Reduce(key, values)
	}
	err := r.h.guard(func() error {
		list, end := r.h.ValuesOf(values)
		defer end()
		before := r.out.Rows()
		v, err := r.fn(goja.Undefined(), r.h.Decode(key), list, r.ctx)
		if err == nil && r.out.Rows() == before {
			err = unwritten(declare.Reduce, v)
		}
		return err
	})
	if err == nil {
		return nil
	}
	err = r.h.script.wrap(err, declare.Reduce, "key "+string(datum.AppendJSON(nil, key)))
	return rejection(err, keyCall(r.h.script, declare.Reduce, key, values))
}

// Finish implements engine.Reducer.
func (r *reducer) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }

// Close implements engine.Reducer.
func (r *reducer) Close() {
	r.h.counts.flush(r.counters)
	r.h.close()
}
