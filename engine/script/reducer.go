package script

import (
	"context"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// reducer runs one shard in one runtime.
type reducer struct {
	h   *host
	out *engine.Output
	fn  goja.Callable // nil: the job has no reduce
	ctx *goja.Object

	counters *Counters
}

func newReducer(ctx context.Context, j *Job, out *engine.Output) (_ engine.Reducer, err error) {
	r := &reducer{out: out, counters: j.Counters}
	r.h, err = newHost(ctx, j.Script, j.Limits, j.Console, func(h *host) error {
		r.fn = h.function(declare.Reduce)
		r.ctx = h.newReduceContext(out)
		setup := h.function(declare.SetupReduce)
		if setup == nil {
			return nil
		}
		_, err := setup(goja.Undefined(), r.ctx)
		return j.Script.wrap(err, declare.SetupReduce, "")
	})

	if err != nil {
		return nil, err
	}

	return r, nil
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

	err = r.h.script.wrap(err, declare.Reduce, keyPlace(key))
	return rejection(err, keyCall(r.h.script, declare.Reduce, key, values))
}

// Finish implements engine.Reducer.
func (r *reducer) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }

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
		v, err := values.Next()
		if err != nil || v == nil {
			return err
		}
		if err := w.out.Row(key, v); err != nil {
			return err
		}
	}
}

// Finish implements engine.Reducer.
func (rowWriter) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }

// Close implements engine.Reducer.
func (rowWriter) Close() {}
