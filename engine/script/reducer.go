package script

import (
	"context"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// reducer runs one shard in one runtime.
type reducer struct {
	h        *host
	out      *engine.Output
	fn       goja.Callable // nil: the job has no reduce
	finished goja.Callable // or nil
	ctx      *goja.Object

	counters *Counters
}

func newReducer(ctx context.Context, job *Job, out *engine.Output) (_ engine.Reducer, err error) {
	made := &reducer{out: out, counters: job.Counters}
	made.h, err = newHost(ctx, job.Script, job.Limits, job.Console, func(h *host) error {
		made.fn = h.function(declare.Reduce)
		made.finished = h.function(declare.ReduceFinished)
		made.ctx = h.newReduceContext(out)
		setup := h.function(declare.SetupReduce)
		if setup == nil {
			return nil
		}
		_, err := setup(goja.Undefined(), made.ctx)
		return job.Script.wrap(err, declare.SetupReduce, "")
	})
	if err != nil {
		return nil, err
	}

	if made.h.tables != nil {
		return newTableReducer(job, made), nil
	}
	return made, nil
}

// Reduce implements engine.Reducer. A job without reduce writes every value.
func (r *reducer) Reduce(key []byte, values *engine.Values) error {
	if r.fn == nil {
		return rowWriter{r.out}.Reduce(key, values)
	}

	err := r.h.guard(func() error {
		list, end := r.h.ValuesOf(values)
		defer end()

		// A reduce that returns its result, as in other systems, has written no row.
		before := r.out.Rows()
		returned, err := r.fn(goja.Undefined(), r.h.Decode(key), list, r.ctx)
		if err == nil && r.out.Rows() == before {
			err = unwritten(declare.Reduce, returned)
		}
		return err
	})
	if err == nil {
		return nil
	}

	err = r.h.script.wrap(err, declare.Reduce, keyPlace(key))
	return rejection(err, keyCall(r.h.script, declare.Reduce, key, values))
}

// Finish implements engine.Reducer.
func (r *reducer) Finish() (engine.TaskStats, error) {
	if r.finished == nil {
		return engine.TaskStats{}, nil
	}

	err := r.h.guard(func() error {
		_, err := r.finished(goja.Undefined(), r.ctx)
		return err
	})
	if err == nil {
		return engine.TaskStats{}, nil
	}

	// There is no call to replay: it depends on all keys before.
	err = r.h.script.wrap(err, declare.ReduceFinished, "after the last key")
	if fatal(err) {
		return engine.TaskStats{}, err
	}
	return engine.TaskStats{}, &engine.RejectError{Err: err}
}

// Close implements engine.Reducer.
func (r *reducer) Close() {
	r.h.counts.flush(r.counters)
	r.h.close()
}

// rowWriter writes every value as a row.
type rowWriter struct{ out *engine.Output }

// Reduce implements engine.Reducer.
func (w rowWriter) Reduce(key []byte, values *engine.Values) error {
	for {
		value, err := values.Next()
		if err != nil || value == nil {
			return err
		}
		if err := w.out.Row(key, value); err != nil {
			return err
		}
	}
}

// Finish implements engine.Reducer.
func (rowWriter) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }

// Close implements engine.Reducer.
func (rowWriter) Close() {}
