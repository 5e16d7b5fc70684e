package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
)

// parallel calls do for 0..n-1, in that order, from up to workers goroutines,
// and returns when all have ended. When one fails, those after it are cancelled
// and those before it end, so that the error returned is always the same: that of
// the lowest index that fails.
//
// It replaces errgroup, which cancels all and returns the error that came first, so
// that a job with two faults would report now one and now the other.
// TestParallelReturnsTheLowestError fails with it.
func parallel(ctx context.Context, workers, n int, do func(context.Context, int) error) error {
	calls := &pool{ctx: ctx, n: n, failedAt: n, running: map[int]context.CancelFunc{}}

	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for {
				i, ctx, cancel := calls.begin()
				if cancel == nil {
					return
				}
				calls.end(i, guard(func() error { return do(ctx, i) }))
				cancel()
			}
		})
	}
	wg.Wait()

	if calls.failed != nil {
		return calls.failed
	}
	return context.Cause(ctx)
}

// pool is the state of one call of parallel.
type pool struct {
	ctx context.Context
	n   int

	mu       sync.Mutex // protects what follows
	next     int
	failed   error
	failedAt int // index of failed; n if there is none
	running  map[int]context.CancelFunc
}

// begin returns the next index with its context; a nil cancel if there is nothing
// more to do.
func (p *pool) begin() (i int, ctx context.Context, cancel context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next >= p.failedAt || p.ctx.Err() != nil {
		return 0, nil, nil
	}

	i = p.next
	p.next++
	ctx, cancel = context.WithCancel(p.ctx)
	p.running[i] = cancel
	return i, ctx, cancel
}

// end says how index i has ended. A failure cancels those after it.
func (p *pool) end(i int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, i)

	// Of several failures the one with the lowest index counts.
	if err == nil || i > p.failedAt {
		return
	}

	p.failed = err
	p.failedAt = i
	for k, cancel := range p.running {
		if k > i {
			cancel()
		}
	}
}

// guard turns a panic into an error, so that a bug ends the job, not the process.
func guard(do func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = NewPanicError(panicked)
		}
	}()
	return do()
}

// PanicError is a panic of Go: it ends the job, not the process. Below a script's call it
// may be what the script did that the JavaScript engine cannot do.
type PanicError struct {
	Value any
	Stack []byte // Go's
}

// NewPanicError returns the error for what recover returned. It must be called
// by the deferred function that recovered.
func NewPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

// maxPanicBytes is how much of a panic's text is shown.
const maxPanicBytes = 500

// Error returns one short line, without the stack.
func (e *PanicError) Error() string {
	text := strings.Join(strings.Fields(fmt.Sprint(e.Value)), " ")
	if len(text) > maxPanicBytes {
		text = strings.ToValidUTF8(text[:maxPanicBytes], "") + "…"
	}
	return "internal error: " + text
}
