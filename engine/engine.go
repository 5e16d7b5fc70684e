package engine

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// Options says how to run a job. None of them changes the output.
type Options struct {
	Mappers   int          // map tasks at a time, at least 1
	Reducers  int          // reduce tasks at a time, at least 1
	Memory    int64        // bytes of sorted runs kept in memory; more go to WorkDir
	WorkDir   string       // for spilled data; "" is the system's temporary folder
	MaxErrors int64        // failures (see RejectError) that do not end the job; -1: any number
	MaxOutput int64        // bytes that the job may write; 0 is no limit
	Log       *slog.Logger // never nil
	Progress  *Progress    // filled while the job runs; nil: nobody looks
	Cache     Cache        // of map results; nil: none
	CacheKey  []byte       // identifies the job in Cache: everything that decides what map emits
	Rejected  func(error)  // called with each failure that is tolerated; nil, or safe for concurrent use
}

// DefaultOptions uses every processor and 128 MiB.
func DefaultOptions() Options {
	n := runtime.GOMAXPROCS(0)
	return Options{Mappers: n, Reducers: n, Memory: 128 << 20, Log: slog.New(slog.DiscardHandler)}
}

func (o *Options) validate() error {
	switch {
	case o.Mappers < 1:
		return fmt.Errorf("number of mappers must be greater than zero, not %d", o.Mappers)
	case o.Reducers < 1:
		return fmt.Errorf("number of reducers must be greater than zero, not %d", o.Reducers)
	case o.Memory < 0:
		return fmt.Errorf("memory must not be negative, but is %d", o.Memory)
	}
	if o.WorkDir == "" {
		o.WorkDir = os.TempDir()
	}
	return nil
}

// Progress counts what is done; its fields may be read at any time.
type Progress struct {
	Tasks, TasksDone atomic.Int64
	BytesDone        atomic.Int64 // compressed
	Records          atomic.Int64
	Shards, Reduced  atomic.Int64
}

// Stats is what a job did.
type Stats struct {
	TaskStats
	Tasks    int
	Recalled int // tasks whose result was remembered
	Keys     int64
	Rows     int64 // written
	Spilled  int64 // bytes
}

// Run maps, combines, shuffles and reduces, and writes the output to sink,
// which it does not close. All goroutines have ended when it returns. An error
// of the job or the source is returned as it is, with the task's name where it
// has none itself; with several, that of the lowest task.
func Run(ctx context.Context, src Source, plan *Plan, job Job, sink Sink, o Options) (Stats, error) {
	if err := o.validate(); err != nil {
		return Stats{}, err
	}
	if o.Progress == nil {
		o.Progress = &Progress{}
	}
	r := &runner{src: src, job: job, o: o, store: store{dir: o.WorkDir, limit: o.Memory}, reject: newRejections(&o)}
	r.tables.New = func() any { return newTable() }
	defer r.store.close()
	r.stats.Tasks = len(plan.Tasks)
	o.Progress.Tasks.Store(int64(len(plan.Tasks)))
	err := parallel(ctx, o.Mappers, len(plan.Tasks), func(ctx context.Context, i int) error {
		return r.mapTask(ctx, plan.Tasks[i])
	})
	if err == nil {
		err = r.reduce(ctx, sink)
	}
	r.stats.Spilled = r.store.spilled
	return r.stats, err
}

type runner struct {
	src   Source
	job   Job
	o     Options
	store store

	tables sync.Pool // of *table, empty
	reject *rejections

	mu    sync.Mutex // protects stats
	stats Stats
}

// parallel calls do for 0..n-1, in that order, from up to workers goroutines,
// and returns when all have ended. When one fails, those after it are cancelled
// and those before it end, so that the error returned is always the same: that of
// the lowest index that fails.
func parallel(ctx context.Context, workers, n int, do func(context.Context, int) error) error {
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex // protects what follows
		next    int
		failed  error
		first   = n // index of failed
		running = map[int]context.CancelFunc{}
	)
	take := func() (int, context.Context, context.CancelFunc) {
		mu.Lock()
		defer mu.Unlock()
		if next >= first || ctx.Err() != nil {
			return -1, nil, nil
		}
		i := next
		next++
		ictx, cancel := context.WithCancel(ctx)
		running[i] = cancel
		return i, ictx, cancel
	}
	end := func(i int, err error) {
		mu.Lock()
		defer mu.Unlock()
		delete(running, i)
		if err == nil || i > first {
			return
		}
		failed, first = err, i
		for k, cancel := range running {
			if k > i {
				cancel()
			}
		}
	}
	for range min(workers, n) {
		wg.Go(func() {
			for {
				i, ictx, cancel := take()
				if i < 0 {
					return
				}
				end(i, guard(func() error { return do(ictx, i) }))
				cancel()
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	return context.Cause(ctx)
}

// guard turns a panic into an error, so that a bug ends the job, not the process.
func guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = NewPanicError(p)
		}
	}()
	return do()
}

// reduce merges the runs shard by shard.
func (r *runner) reduce(ctx context.Context, sink Sink) error {
	if err := r.store.compact(ctx, r.o.Reducers); err != nil {
		return err
	}
	runs := r.store.sorted()
	shards := cutShards(runs)
	r.o.Progress.Shards.Store(int64(len(shards)))
	outs := make([]*Output, len(shards))
	done := make([]chan struct{}, len(shards))
	budget := &outputBudget{unlimited: r.o.MaxOutput <= 0}
	budget.left.Store(r.o.MaxOutput)
	for i := range outs {
		outs[i] = &Output{dir: r.o.WorkDir, budget: budget}
		done[i] = make(chan struct{})
	}
	if !r.reject.tolerates() {
		outs[0].sink = sink // the first needs no waiting room: nothing is taken back
	}
	defer func() {
		for _, o := range outs {
			o.close()
		}
	}()
	return parallel(ctx, r.o.Reducers, len(shards), func(ctx context.Context, i int) error {
		if err := r.reduceShard(ctx, runs, shards[i], i, outs[i]); err != nil {
			return err
		}
		if i > 0 { // in order: shards are taken in order, so the one before is running or done
			select {
			case <-done[i-1]:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if outs[i].sink == nil {
			if err := outs[i].replay(sink); err != nil {
				return err
			}
		}
		close(done[i])
		return nil
	})
}

func (r *runner) reduceShard(ctx context.Context, runs []*run, sh shard, i int, out *Output) error {
	out.drop = i > 0
	red, err := r.job.NewReducer(ctx, i, out)
	if err != nil {
		return err
	}
	defer red.Close()
	remote := r.job.Remote()
	out.drop = false // a reducer in another process drops its preamble itself
	m, err := newMerger(runs, sh)
	if err != nil {
		return err
	}
	var keys, failed int64
	for {
		key, values, err := m.group()
		if err != nil {
			return err
		}
		if values == nil {
			break
		}
		if keys++; keys&0xff == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if remote { // out is written meanwhile
			if err := red.Reduce(key, values); err != nil {
				return err
			}
			continue
		}
		before := out.mark()
		if err := red.Reduce(key, values); err != nil {
			if err := r.reject.take("key", err); err != nil {
				return err
			}
			failed++
			out.back(before)
		}
	}
	counted, err := red.Finish()
	if err != nil {
		return err
	}
	if remote {
		failed = counted.Failed
		if err := r.reject.add(failed); err != nil {
			return err
		}
	}
	r.o.Progress.Reduced.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Keys += keys
	r.stats.Failed += failed
	r.stats.Rows += out.rows
	return nil
}
