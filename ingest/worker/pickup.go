package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

const (
	// sweepEvery is how often raw/ is looked through without being told, for logs
	// that other processes finished and for what became convertible.
	sweepEvery = 10 * time.Second
	// retryMin and retryMax bound the pause before a raw log whose conversion
	// failed (the revision server is away, the disk is full) is tried again.
	retryMin = time.Second
	retryMax = time.Minute
)

// Pickup has the raw logs of a data folder converted: those that are finished,
// and those that a crash left. One that a live server holds is left alone.
type Pickup struct {
	Data *layout.Data
	// Convert converts raw/<name>, publishes its records and removes it. It is
	// called from several goroutines. After an error the log is tried again later;
	// layout.ErrBusy says that another process has it.
	Convert func(ctx context.Context, name string) error
	Workers int // at least 1
	Logger  *slog.Logger

	nudged chan struct{}
	once   sync.Once

	mu     sync.Mutex // protects states
	states map[string]*pickupState
}

// pickupState is what is known of a raw log that is being converted or has failed.
type pickupState struct {
	busy  bool
	pause time.Duration
	next  time.Time // when to try again
}

func (p *Pickup) init() {
	p.once.Do(func() {
		p.nudged = make(chan struct{}, 1)
		p.states = map[string]*pickupState{}
		if p.Logger == nil {
			p.Logger = slog.New(slog.DiscardHandler)
		}
	})
}

// Nudge makes Run look into raw/ soon. It never blocks.
func (p *Pickup) Nudge() {
	p.init()
	select {
	case p.nudged <- struct{}{}:
	default:
	}
}

// Run converts what there is and what comes until ctx ends, and returns when the
// conversions in hand have ended, which ctx does not cut short.
func (p *Pickup) Run(ctx context.Context) {
	p.init()
	work := make(chan string)
	var wg sync.WaitGroup
	for range p.Workers {
		wg.Go(func() {
			for name := range work {
				p.convert(context.WithoutCancel(ctx), name)
			}
		})
	}
	defer wg.Wait()
	defer close(work)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		names, wait := p.due()
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
		case <-p.nudged:
		case <-tick.C:
		case <-retry.C:
		}
		retry.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// Drain converts every raw log that nobody holds, each once, and returns the
// errors of those that remain; one that another process converts is left to it.
// It must not run beside Run.
func (p *Pickup) Drain(ctx context.Context) error {
	p.init()
	names, err := WaitingLogs(p.Data.Root())
	if err != nil {
		return err
	}
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	room := make(chan struct{}, max(p.Workers, 1))
	for i, name := range names {
		room <- struct{}{}
		wg.Go(func() {
			if err := p.convert(ctx, name); !errors.Is(err, layout.ErrBusy) {
				errs[i] = err
			}
			<-room
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// due lists the raw logs to be converted now and says how long to wait for the next.
func (p *Pickup) due() ([]string, time.Duration) {
	// Locked while listing: what is converted meanwhile has been removed, or is
	// busy still, and is not taken for a new one.
	p.mu.Lock()
	defer p.mu.Unlock()
	names, err := WaitingLogs(p.Data.Root())
	if err != nil {
		p.Logger.Error("cannot list raw logs", "err", err)
		return nil, sweepEvery
	}
	wait, now := sweepEvery, time.Now()
	names = slices.DeleteFunc(names, func(name string) bool {
		s := p.states[name]
		if s == nil {
			s = &pickupState{}
			p.states[name] = s
		}
		if !s.busy && now.Before(s.next) {
			wait = min(wait, s.next.Sub(now))
		}
		if s.busy || now.Before(s.next) {
			return true
		}
		s.busy = true
		return false
	})
	return names, wait
}

func (p *Pickup) convert(ctx context.Context, name string) error {
	err := p.Convert(ctx, name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		delete(p.states, name)
		return nil
	}
	s := p.states[name]
	if s == nil {
		s = &pickupState{}
		p.states[name] = s
	}
	s.busy = false
	s.pause = min(max(2*s.pause, retryMin), retryMax)
	s.next = time.Now().Add(s.pause)
	p.Nudge() // so that Run reckons with the new time
	if !errors.Is(err, layout.ErrBusy) && ctx.Err() == nil {
		p.Logger.Error("conversion stopped; the raw log is kept", "log", name, "retry_in", s.pause, "err", err)
	}
	return err
}

// WaitingLogs lists the raw logs in the data folder root that can be converted,
// oldest first: every finished one, and every one that is not locked.
func WaitingLogs(root *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), layout.RawDir)
	if err != nil {
		return nil, fmt.Errorf("list raw logs: %w", err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() || strings.HasPrefix(name, rawlog.HiddenPrefix) {
			continue
		}
		if strings.HasSuffix(name, rawlog.FinishedSuffix) || !locked(root, name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(stamp(a), stamp(b)), cmp.Compare(a, b)) })
	return names, nil
}

// stamp is the part of a raw log's name that says when it was begun.
func stamp(name string) string {
	name = strings.TrimSuffix(name, rawlog.FinishedSuffix)
	return name[strings.LastIndexByte(name, '.')+1:]
}

// locked says whether a live server holds the raw log.
func locked(root *os.Root, name string) bool {
	f, err := root.Open(layout.RawDir + "/" + name)
	if err != nil {
		return true // renamed or removed as we came
	}
	defer f.Close() // which unlocks
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}
