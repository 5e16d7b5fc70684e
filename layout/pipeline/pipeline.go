// Package pipeline works on a stream in parallel and keeps its order.
//
//	Produce (one goroutine) ─► Work (several) ─► Consume (one), in the order of Produce
//
// In comes a function for each stage, out comes the first error. The conversion of a
// raw log and the compaction of segments are pipelines.
//
// It replaces a worker pool of a library, such as the stream package of
// sourcegraph/conc. Those call a function for each input; here a worker keeps an
// encoder or a JavaScript runtime from input to input, and hands over a long output
// in parts, so that memory stays bounded. TestRun compares it with a loop in one
// goroutine; BenchmarkConvertLog of ingest/worker and BenchmarkStorage of
// layout/upkeep, with their rows in docs/BENCHMARKS.md, measure it (2026-11-28).
package pipeline

import (
	"context"
	"iter"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Stages are the functions of a pipeline. An error of any of them ends the others,
// whose contexts are cancelled then.
type Stages[In, Out any] struct {
	// Workers is the number of goroutines that run Work; 0: Processors.
	Workers int
	// Ahead is how many inputs may wait behind the one being consumed; 0: as many as
	// there are workers.
	Ahead int

	// Produce calls send with each input. send waits while the pipeline is full; its
	// error says that the pipeline has ended, and Produce returns it.
	Produce func(ctx context.Context, send func(In) error) error
	// Work runs once in each worker's goroutine and walks the inputs that come to it.
	// It sends the outputs of an input before it goes on to the next one.
	Work func(ctx context.Context, tasks iter.Seq[Task[In, Out]]) error
	// Consume is called with all outputs, those of the first input first, from one
	// goroutine.
	Consume func(Out) error
}

// Task is one input in a worker's hands.
type Task[In, Out any] struct {
	Input In

	ctx     context.Context // of the pipeline, ends Send
	outputs chan Out        // closed when the worker is done with the input
	turn    chan struct{}   // closed when all inputs before are consumed
}

// Send hands an output to Consume. It waits until the outputs before it are consumed,
// but for one. Its error says that the pipeline has ended; Work returns it.
func (t *Task[In, Out]) Send(out Out) error { return send(t.ctx, t.outputs, out) }

// WaitTurn waits until the outputs of all inputs before this one are consumed. So what
// takes much memory is done for one input at a time. Its error says that the pipeline has
// ended; Work returns it.
func (t *Task[In, Out]) WaitTurn() error {
	select {
	case <-t.turn:
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

// Processors returns how many goroutines can compute at the same time: as many as the
// scheduler has processors, but not more than the machine has, because tmserver serve
// has twice as many (see there).
func Processors() int { return min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) }

// Run runs the stages until all is consumed, and returns the first error, or ctx's.
// All goroutines have ended when it returns.
func Run[In, Out any](ctx context.Context, s Stages[In, Out]) error {
	if s.Workers == 0 {
		s.Workers = Processors()
	}
	if s.Ahead == 0 {
		s.Ahead = s.Workers
	}

	group, ctx := errgroup.WithContext(ctx)
	todo := make(chan Task[In, Out])
	order := make(chan Task[In, Out], s.Ahead)

	group.Go(func() error {
		defer close(todo)
		defer close(order)
		return s.Produce(ctx, func(in In) error {
			task := Task[In, Out]{Input: in, ctx: ctx, outputs: make(chan Out, 1), turn: make(chan struct{})}

			// In the order of the inputs first, so that Consume waits for this one.
			if err := send(ctx, order, task); err != nil {
				return err
			}
			return send(ctx, todo, task)
		})
	})

	// A task that a worker does not finish stays open: Consume ends with ctx.
	for range s.Workers {
		group.Go(func() error { return s.Work(ctx, tasks(todo)) })
	}

	group.Go(func() error {
		for task := range order {
			close(task.turn)
			if err := consume(ctx, task.outputs, s.Consume); err != nil {
				return err
			}
		}
		return ctx.Err()
	})

	return group.Wait()
}

// tasks walks the inputs of one worker. An input whose loop body ended is done.
func tasks[In, Out any](todo <-chan Task[In, Out]) iter.Seq[Task[In, Out]] {
	return func(yield func(Task[In, Out]) bool) {
		for task := range todo {
			if !yield(task) {
				return // Work fails, which ends the pipeline
			}
			close(task.outputs)
		}
	}
}

// consume calls use with the outputs of one input until there are no more.
func consume[Out any](ctx context.Context, outputs <-chan Out, use func(Out) error) error {
	for {
		select {
		case out, more := <-outputs:
			if !more {
				return nil // the worker is done with the input
			}
			if err := use(out); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send sends v unless ctx ends first.
func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
