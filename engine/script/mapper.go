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
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
	"github.com/aitgithub/telemetry-server/engine/script/value"
	"github.com/aitgithub/telemetry-server/engine/tables"
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
	part     int          // of the task's segment, whose dims the scripts see; -1: its only one
	tables   *tables.Task // nil: the script has none

	// Of the combine call that runs.
	combineCtx *goja.Object
	combineKey []byte
	put        func(value []byte)

	counters *Counters
	fields   *Fields       // nil: not noted
	noted    *value.Fields // by this task, for fields
}

func newMapper(ctx context.Context, job *Job, t engine.Task, emit engine.Emit) (_ *mapper, err error) {
	made := &mapper{task: t, counters: job.Counters, fields: job.Fields, part: -1}
	if job.filtersRecords() {
		if made.filter, err = job.Filter.newRuntime(ctx, job.Limits, job.Console); err != nil {
			return nil, err
		}
		if err = made.filter.h.enter(t.Segment.Dims); err != nil {
			made.filter.close()
			return nil, err
		}
	}

	// The filter's runtime is another one: scripts share no globals.
	made.h, err = newHost(ctx, job.Script, job.Limits, job.Console, func(h *host) error {
		made.fn = h.function(declare.Map)
		if made.fn == nil {
			return job.Script.NoMap(h.exports.Keys())
		}
		made.finished = h.function(declare.MapFinished)
		made.combine = h.function(declare.Combine)

		if made.fields != nil {
			made.noted = value.NewFields(job.Script.fieldNames(), made.fields.has)
			h.NoteFields(made.noted)
		}

		h.SetDims(t.Segment.Dims)
		made.ctx = h.newContext(declare.Map, emit)
		made.collect(h, emit)
		made.combineCtx = h.newContext(declare.Combine, made.combined)
		return nil
	})
	if err != nil {
		made.filter.close()
		return nil, err
	}

	return made, nil
}

// Map implements engine.Mapper.
func (m *mapper) Map(record *engine.Record, number int64) error {
	id, ok, err := record.ID()
	if err != nil {
		return err
	}
	if !ok {
		return &engine.RejectError{Err: fmt.Errorf("%s:%d: %w", m.task, number, engine.ErrBadLine)}
	}
	if err := m.enter(record); err != nil {
		return err
	}

	// What the filter does not keep is not mapped.
	if m.filter != nil {
		decided, err := m.filter.decideRecord(id, record, m.task, number)
		if err != nil {
			return rejection(err, recordCall(m.filter.h.script, phaseOf(err), m.task, id, record, number))
		}
		if decided.Action != Keep {
			return nil
		}
	}

	// What a record counted is dropped with it.
	h := m.h
	h.NextPing()
	h.EnterDocument(id)
	err = h.guard(func() error {
		_, err := m.fn(goja.Undefined(), h.rt.ToValue(string(id)), h.Dims(), h.ping(record), m.ctx)
		return err
	})
	if err == nil {
		h.counts.keep()
		return m.commitTables()
	}

	h.counts.drop()
	if m.tables != nil {
		m.tables.Rollback()
	}
	err = h.script.wrap(err, declare.Map, recordPlace(m.task, id, number))
	return rejection(err, recordCall(h.script, declare.Map, m.task, id, record, number))
}

// enter makes the record's partition the one whose dims the script and the filter see.
// That of a segment in rows is the task's, and was made with the mapper.
func (m *mapper) enter(record *engine.Record) error {
	if record.Part() < 0 || record.Part() == m.part {
		return nil
	}
	m.part = record.Part()
	dims := m.task.DimsOf(record)
	if m.filter != nil {
		if err := m.filter.h.enter(dims); err != nil {
			return err
		}
	}
	return m.h.enter(dims)
}

// ping returns the view of a record.
func (h *host) ping(record *engine.Record) goja.Value {
	if group, row := record.Columns(); group != nil {
		return h.PingInColumns(group, row)
	}
	text, err := record.Text()
	if err != nil {
		h.ThrowEngine(err)
	}
	return h.Ping(text)
}

// decideRecord decides about a record of a task.
func (r *filterRuntime) decideRecord(id []byte, record *engine.Record, task engine.Task, number int64) (Decision, error) {
	ping := func() goja.Value { return r.h.ping(record) }
	return r.decide(id, ping, func() string { return recordPlace(task, id, number) })
}

// commitTables counts what the record has added to tables. An error is not the record's.
func (m *mapper) commitTables() error {
	if m.tables == nil {
		return nil
	}
	return m.tables.Commit()
}

// recordPlace names a record in errors.
func recordPlace(task engine.Task, id []byte, number int64) string {
	return fmt.Sprintf("record %s in %s:%d", id, task, number)
}

// Finish implements engine.Mapper.
func (m *mapper) Finish() (engine.TaskStats, error) {
	m.h.NextPing()
	if m.tables != nil {
		return engine.TaskStats{}, m.tables.Flush()
	}
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
	// Its records are not in the Call: there may be millions.
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
func (m *mapper) Combines() bool { return m.combine != nil || m.tables != nil }

// Combine implements engine.Mapper.
func (m *mapper) Combine(key []byte, values *engine.Values, put func(value []byte)) error {
	if m.tables != nil {
		return m.h.tables.Combine(key, values, put)
	}

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
		returned, err := m.combine(goja.Undefined(), m.h.Decode(key), list, m.combineCtx)
		if err == nil && !written {
			err = unwritten(declare.Combine, returned)
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
// returned what it should have written. That is not false, 0 and the like,
// which `n > 9 && ctx.write(key, n)` returns.
func unwritten(function string, returned goja.Value) error {
	_, isBool := returned.Export().(bool)
	if isBool || !returned.ToBoolean() {
		return nil
	}
	return fmt.Errorf("%s returned a value, which nobody reads, and wrote none: ctx.write(key, value)", function)
}

// Close implements engine.Mapper.
func (m *mapper) Close() {
	m.h.counts.flush(m.counters)
	if m.noted != nil {
		m.fields.Add(m.noted.All(suggest.Nearest))
	}
	m.h.close()
	m.filter.close()
}
