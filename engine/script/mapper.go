package script

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// mapper runs one map task in one runtime.
type mapper struct {
	h        *host
	task     engine.Task
	filter   *filterRuntime // nil: every record
	fn       goja.Callable
	finished goja.Callable // or nil
	combine  goja.Callable // or nil
	ctx      *goja.Object

	// Of the combine call that runs.
	combineCtx *goja.Object
	combineKey []byte
	put        func(value []byte)

	counters *Counters
}

func newMapper(ctx context.Context, j *Job, t engine.Task, emit engine.Emit) (_ engine.Mapper, err error) {
	m := &mapper{task: t, counters: j.Counters}
	if j.filtersRecords() {
		if m.filter, err = j.Filter.newRuntime(ctx, j.Limits, j.Console); err != nil {
			return nil, err
		}
		if err = m.filter.h.enter(t.Segment.Dims); err != nil {
			m.filter.close()
			return nil, err
		}
	}

	// The filter's runtime is another one: scripts share no globals.
	m.h, err = newHost(ctx, j.Script, j.Limits, j.Console, func(h *host) error {
		m.fn = h.function(declare.Map)
		if m.fn == nil {
			return j.Script.NoMap(h.exports.Keys())
		}
		m.finished = h.function(declare.MapFinished)
		m.combine = h.function(declare.Combine)

		h.SetDims(t.Segment.Dims)
		m.ctx = h.newContext(declare.Map, emit)
		m.combineCtx = h.newContext(declare.Combine, m.combined)
		return nil
	})

	if err != nil {
		m.filter.close()
		return nil, err
	}

	return m, nil
}

// Map implements engine.Mapper.
func (m *mapper) Map(line []byte, n int64) error {
	tab := bytes.IndexByte(line, '\t')
	if tab < 0 {
		return &engine.RejectError{Err: fmt.Errorf("%s:%d: %w", m.task, n, engine.ErrBadLine)}
	}

	id, text := line[:tab], line[tab+1:]

	// What the filter does not keep is not mapped.
	if m.filter != nil {
		d, err := m.filter.decide(id, text, recordPlace(m.task, id, n))
		if err != nil {
			return rejection(err, recordCall(m.filter.h.script, phaseOf(err), m.task, id, text, n))
		}
		if d.Action != Keep {
			return nil
		}
	}

	// What a record counted is dropped with it.
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
	err = h.script.wrap(err, declare.Map, recordPlace(m.task, id, n))
	return rejection(err, recordCall(h.script, declare.Map, m.task, id, text, n))
}

// recordPlace names a record in errors.
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
	call := &Call{Script: m.h.script.Name, Phase: declare.MapFinished, Segment: m.task.String(), Dims: m.task.Segment.Dims}
	return engine.TaskStats{}, rejection(err, call)
}

// Effects implements engine.Mapper: a task that has logged or counted must run
// again, and so must one whose script saw that definitions were not available.
func (m *mapper) Effects() bool {
	counted := len(m.h.counts.all)+len(m.h.counts.record) > 0
	return counted || m.h.effects() || m.filter != nil && m.filter.h.effects()
}

// Lookups implements engine.Mapper: the definitions that the script and the filter
// have found, as a JSON object of hexadecimal SHA-256 by the URL of the revision. What
// was not found is an effect.
func (m *mapper) Lookups() string {
	found := m.h.Found()
	if m.filter != nil {
		maps.Copy(found, m.filter.h.Found())
	}
	if len(found) == 0 {
		return ""
	}

	text, _ := json.Marshal(found) // strings, in the order of the URLs: it cannot fail
	return string(text)
}

func (h *host) effects() bool { return h.logged || h.Missed() }

// Combines implements engine.Mapper.
func (m *mapper) Combines() bool { return m.combine != nil }

// Combine implements engine.Mapper.
func (m *mapper) Combine(key []byte, values *engine.Values, put func(value []byte)) error {
	// What combine writes may fill the table, and so call combine for another key.
	outerKey, outerPut := m.combineKey, m.put
	defer func() { m.combineKey, m.put = outerKey, outerPut }()
	written := false
	m.combineKey = key
	m.put = func(value []byte) {
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

	err = m.h.script.wrap(err, declare.Combine, keyPlace(key))
	return rejection(err, keyCall(m.h.script, declare.Combine, key, values))
}

// combined is what ctx.write of combine does.
func (m *mapper) combined(key, value []byte) error {
	if !bytes.Equal(key, m.combineKey) {
		m.h.ThrowType("combine was called with key %s but wrote key %s",
			datum.AppendMessage(nil, m.combineKey), datum.AppendMessage(nil, key))
	}
	m.put(value)
	return nil
}

// keyPlace names a key in errors.
func keyPlace(key []byte) string { return "key " + string(datum.AppendMessage(nil, key)) }

// unwritten returns an error if a function that has written nothing seems to have
// returned what it should have written: v. That is not false, 0 and the like,
// which `n > 9 && ctx.write(key, n)` returns.
func unwritten(function string, v goja.Value) error {
	_, isBool := v.Export().(bool)
	if isBool || !v.ToBoolean() {
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
