package engine

import (
	"context"
	"sync"

	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// Run maps, combines, shuffles and reduces, and writes the output to sink,
// which it does not close. All goroutines have ended when it returns. An error
// of the job or the source is returned as it is, with the task's name where it
// has none itself; with several, that of the lowest task.
func Run(ctx context.Context, src Source, plan *Plan, job Job, sink Sink, o Options) (Stats, error) {
	if err := o.validate(); err != nil {
		return Stats{}, err
	}

	r := newRunner(src, job, o)
	defer r.store.Close()
	r.stats.Tasks = len(plan.Tasks)
	o.Progress.Tasks.Store(int64(len(plan.Tasks)))

	// Each task maps one part of the input and leaves sorted runs in the store.
	err := parallel(ctx, o.Mappers, len(plan.Tasks), func(ctx context.Context, i int) error {
		return r.mapTask(ctx, plan.Tasks[i])
	})

	// Too many runs cannot be read at the same time: merge some first.
	if err == nil {
		err = r.store.Compact(func(n int, do func(int) error) error {
			return parallel(ctx, o.Reducers, n, func(_ context.Context, i int) error { return do(i) })
		})
	}

	// Each shard merges its keys from all runs and reduces them.
	if err == nil {
		err = r.reduceAll(ctx, sink)
	}

	r.stats.Spilled = r.store.Spilled()
	return r.stats, err
}

// reduceAll reduces all shards and writes their output in order.
func (r *runner) reduceAll(ctx context.Context, sink Sink) error {
	shards, err := r.shards(ctx)
	if err != nil {
		return err
	}
	r.o.Progress.Shards.Store(int64(len(shards)))

	// The output of a shard waits until those before it are written. That of the first
	// need not wait, unless a key may be rejected after it has written something.
	budget := newOutputBudget(r.o.MaxOutput)
	spools := &spools{}
	outputs := make([]*Output, len(shards))
	written := make([]chan struct{}, len(shards))
	for i := range outputs {
		outputs[i] = &Output{dir: r.o.WorkDir, budget: budget, spools: spools}
		written[i] = make(chan struct{})
	}

	if !r.reject.tolerates() {
		outputs[0].sink = sink
	}

	defer func() {
		for _, out := range outputs {
			out.close()
		}
	}()

	return parallel(ctx, r.o.Reducers, len(shards), func(ctx context.Context, i int) error {
		out := outputs[i]
		if err := r.reduceShard(ctx, shards[i], i, out); err != nil {
			return err
		}

		// Shards begin in order, so the one before is being reduced or done.
		if i > 0 {
			select {
			case <-written[i-1]:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}

		// Only the first shard may have written to sink already.
		if out.sink == nil {
			if err := out.replay(sink); err != nil {
				return err
			}
		}
		close(written[i])
		return nil
	})
}

// shards cuts the key space, unless the job needs it whole.
func (r *runner) shards(ctx context.Context) ([]shuffle.Shard, error) {
	one, err := r.job.OneShard(ctx)
	if err != nil {
		return nil, err
	}
	if one {
		return []shuffle.Shard{shuffle.All()}, nil
	}
	return r.store.Shards(), nil
}

// runner is a job that is running. Safe for concurrent use.
type runner struct {
	src    Source
	job    Job
	o      Options
	store  *shuffle.Store
	tables sync.Pool // of *shuffle.Table, empty
	reject *rejections

	mu    sync.Mutex // protects stats
	stats Stats
}

// newRunner returns the runner of a job with valid options.
func newRunner(src Source, job Job, o Options) *runner {
	run := &runner{src: src, job: job, o: o, reject: newRejections(&o)}
	run.store = shuffle.NewStore(shuffle.Options{Memory: o.Memory, Dir: o.WorkDir, Sizes: o.sizes, Together: together})
	run.tables.New = func() any { return shuffle.NewTable(o.sizes.TableBytes) }
	return run
}

// together returns the part of a key whose keys are reduced in one shard, one after the
// other: the first two data of a key that has more.
func together(key string) string {
	// Nearly all keys are one datum.
	encoded := []byte(key)
	_, rest, err := datum.Skip(encoded)
	if err != nil || len(rest) == 0 {
		return key
	}

	_, rest, err = datum.Skip(rest)
	if err != nil {
		return key
	}
	return key[:len(key)-len(rest)]
}

// taskDone counts a map task.
func (r *runner) taskDone(t Task, done TaskStats, cached bool) {
	progress := r.o.Progress
	progress.TasksDone.Add(1)
	progress.BytesDone.Add(t.Bytes)
	progress.Records.Add(done.Records)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.TaskStats.Add(done)
	if cached {
		r.stats.Cached++
	}
}

// shardDone counts a reduced shard.
func (r *runner) shardDone(keys, failed int64, out *Output) {
	r.o.Progress.Reduced.Add(1)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Keys += keys
	r.stats.Failed += failed
	r.stats.Rows += out.rows
	r.stats.UndefinedRows += out.undefined
}
