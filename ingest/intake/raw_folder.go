package intake

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
)

const (
	// sweepEvery is how often raw/ is listed without a signal, for logs that other
	// processes finished and for those that became convertible.
	sweepEvery = 10 * time.Second
	// minRetry and maxRetry bound the pause before a raw log whose conversion failed
	// (the revision server is down, the disk is full) is tried again.
	minRetry = time.Second
	maxRetry = time.Minute
)

// LogConverter converts raw logs of the data folder; *worker.Worker is one.
type LogConverter interface {
	// ConvertLog converts raw/<name> and removes it. Errors are as Worker's.
	ConvertLog(ctx context.Context, name string) (worker.Stats, error)
}

// Signal tells a RawFolder that a raw log was finished. The raw log is opened before
// the RawFolder, whose worker needs it, so that both need a Signal between them.
type Signal chan struct{}

// NewSignal returns a Signal for one RawFolder.
func NewSignal() Signal { return make(Signal, 1) }

// Notify makes the RawFolder list raw/ soon. It never blocks.
func (s Signal) Notify() {
	select {
	case s <- struct{}{}:
	default: // it is about to list raw/ anyway
	}
}

// RawFolderOptions configure a RawFolder. The zero value has the defaults.
type RawFolderOptions struct {
	// Workers is how many raw logs are converted at the same time; 0: one.
	Workers int
	// Finished says that a raw log was finished; nil: only sweeps find them.
	Finished Signal
	// Log is for raw logs that cannot be converted; nil: discarded.
	Log *slog.Logger
	// Stranger is called for each file that is no raw log, when that is found; nil: nothing
	// is.
	Stranger func()
}

// RawFolder watches raw/ of a data folder and has each raw log converted that is
// finished or that a crash left. It leaves alone what a live server writes. Its Run
// and Drain must not run at the same time.
type RawFolder struct {
	root      *os.Root
	converter LogConverter
	o         RawFolderOptions

	retry Signal // a raw log failed: the time of the next attempt has changed

	mu     sync.Mutex // protects claims
	claims map[string]*claim
}

// claim is a raw log that is being converted, or whose conversion failed.
type claim struct {
	busy  bool
	next  time.Time // of the next attempt
	pause backoff.ExponentialBackOff
	said  string    // the error that was logged last
	since time.Time // when the conversion in hand, or the first that failed, began
}

// Stuck returns since when the oldest raw log of those that are in hand, or that failed,
// could not be converted; 0 if there is none.
func (f *RawFolder) Stuck() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()

	var longest time.Duration
	for _, c := range f.claims {
		if !c.since.IsZero() {
			longest = max(longest, time.Since(c.since)) // by the monotonic clock
		}
	}
	return longest
}

// NewRawFolder returns a RawFolder for the data folder root.
func NewRawFolder(root *os.Root, converter LogConverter, o RawFolderOptions) *RawFolder {
	o.Workers = max(o.Workers, 1)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &RawFolder{root: root, converter: converter, o: o, retry: NewSignal(), claims: map[string]*claim{}}
}

// Run converts what there is and what comes until ctx ends. It returns when the
// conversions in hand have ended, which ctx does not interrupt.
func (f *RawFolder) Run(ctx context.Context) {
	// The workers: a conversion in hand goes on when ctx ends.
	work := make(chan string)
	var workers sync.WaitGroup
	for range f.o.Workers {
		workers.Go(func() {
			for name := range work {
				f.convert(context.WithoutCancel(ctx), name)
			}
		})
	}
	defer workers.Wait()
	defer close(work)

	// The watcher: claim what is due, then wait for a signal, a retry or the next sweep.
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		names, wait := f.claimDue()
		for _, name := range names {
			select {
			case work <- name:
			case <-ctx.Done():
				return
			}
		}

		retry := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-f.o.Finished:
		case <-f.retry:
		case <-sweep.C:
		case <-retry.C:
		}
		retry.Stop()

		if ctx.Err() != nil {
			return
		}
	}
}

// Drain converts every raw log that no process holds, each once, and returns the
// errors of those that remain. One that another process converts is left to it.
func (f *RawFolder) Drain(ctx context.Context) error {
	names, err := WaitingLogs(f.root)
	if err != nil {
		return err
	}

	// Raw logs that end the process become parts, which are raw logs to be converted.
	var errs []error
	for len(names) > 0 {
		parts, err := f.drain(ctx, names)
		errs = append(errs, err)
		names = parts
	}
	return errors.Join(errs...)
}

// drain converts raw logs, each once. It returns the parts that they were divided into,
// and the errors of those that remain.
func (f *RawFolder) drain(ctx context.Context, names []string) (parts []string, _ error) {
	errs := make([]error, len(names))
	divided := make([][]string, len(names))
	slots := make(chan struct{}, f.o.Workers) // one for each conversion at work
	var conversions sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		conversions.Go(func() {
			defer func() { <-slots }()
			stats, err := f.convert(ctx, name)

			divided[i] = stats.Parts
			if !errors.Is(err, layout.ErrBusy) {
				errs[i] = err
			}
		})
	}
	conversions.Wait()
	return slices.Concat(divided...), errors.Join(errs...)
}

// claimDue claims the raw logs that are to be converted now, and returns how long to
// wait for the next one.
func (f *RawFolder) claimDue() (names []string, wait time.Duration) {
	// Locked while listing: a raw log that is converted meanwhile is removed, or its
	// claim is there still. So it is not taken for a new one.
	f.mu.Lock()
	defer f.mu.Unlock()

	waiting, err := WaitingLogs(f.root)
	if err != nil {
		f.o.Log.Error("cannot list raw logs", "err", err)
		return nil, sweepEvery
	}

	now := time.Now()
	wait = sweepEvery
	for _, name := range waiting {
		c := f.claim(name)
		switch {
		case c.busy: // it is being converted
		case now.Before(c.next):
			wait = min(wait, c.next.Sub(now))
		default:
			c.busy = true
			if c.since.IsZero() {
				c.since = now
			}
			names = append(names, name)
		}
	}
	return names, wait
}

// claim returns the claim of a raw log, a new one if there is none. f.mu is held.
func (f *RawFolder) claim(name string) *claim {
	c := f.claims[name]
	if c == nil {
		c = &claim{pause: backoff.ExponentialBackOff{
			InitialInterval: minRetry,
			Multiplier:      2,
			MaxInterval:     maxRetry,
		}}
		c.pause.Reset() // to the initial interval
		f.claims[name] = c
	}
	return c
}

// convert converts a raw log. After an error it can be claimed again after a pause.
func (f *RawFolder) convert(ctx context.Context, name string) (worker.Stats, error) {
	stats, err := f.converter.ConvertLog(ctx, name)

	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.claims, name)
		if len(stats.Parts) > 0 {
			f.retry.Notify() // there are new raw logs
		}
		return stats, nil
	}

	c := f.claim(name)
	pause := c.pause.NextBackOff()
	c.busy = false
	c.next = time.Now().Add(pause)
	f.retry.Notify()

	if errors.Is(err, layout.ErrBusy) {
		c.since = time.Time{} // another process has it
	}

	// A raw log that another process converts, and the end of the program, are no
	// failures to report.
	if !errors.Is(err, layout.ErrBusy) && ctx.Err() == nil {
		f.report(name, c, pause, err)
	}
	return stats, err
}

// report logs the error of a conversion, once as long as it is the same. f.mu is held.
func (f *RawFolder) report(name string, c *claim, pause time.Duration, err error) {
	// An outage shows in several ways, and is one.
	reason := err.Error()
	if worker.IsOutage(err) {
		reason = "definitions are not available"
	}
	if c.said == reason {
		f.o.Log.Debug("conversion stopped again, for the same reason", "log", name, "retry_in", pause)
		return
	}

	c.said = reason
	f.o.Log.Error("conversion stopped; the raw log is kept", "log", name, "retry_in", pause, "err", err)
	if errors.Is(err, worker.ErrNoRawLog) && f.o.Stranger != nil {
		f.o.Stranger()
	}
}
