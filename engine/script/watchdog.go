package script

import (
	"fmt"
	"time"
)

const (
	// watchTick is how often the watchdog reads a call's age.
	watchTick = 20 * time.Millisecond
	// stuckTime is how long an interrupted call may take to end.
	stuckTime = time.Second
)

// watch interrupts a call that is older than its limit, until stop is called.
func (h *host) watch(limits Limits) (stop func()) {
	if limits.Call <= 0 {
		return func() {}
	}

	// stop waits for the goroutine: an interrupt after it would hit the next call.
	done := make(chan struct{})
	ended := make(chan struct{})
	dog := &watchdog{h: h, limits: limits, err: fmt.Errorf("%w: %s", ErrTimeout, limits.Call)}
	go func() {
		defer close(ended)
		dog.run(done)
	}()

	return func() {
		close(done)
		<-ended
	}
}

// watchdog is what watch runs in a goroutine of its own.
type watchdog struct {
	h      *host
	limits Limits
	err    error // of a call that is too old

	seen        uint64        // host.calls at the last tick
	age         time.Duration // of the call that runs
	interrupted bool
}

// run looks at the calls until done is closed, or one of them is stuck.
func (w *watchdog) run(done <-chan struct{}) {
	tick := time.NewTicker(min(watchTick, w.limits.Call))
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			if stuck := w.look(now.Sub(last)); stuck {
				w.limits.Stuck(w.err)
				return
			}
			last = now
		}
	}
}

// look adds the time since the last tick to the age of the call that runs, and
// interrupts it if that is too much. stuck: it was interrupted, and goes on.
func (w *watchdog) look(passed time.Duration) (stuck bool) {
	calls := w.h.calls.Load()
	running := calls%2 == 1
	if !running || calls != w.seen {
		w.seen, w.age, w.interrupted = calls, 0, false
		return false
	}

	// The same call as at the last tick: it has run for all of the time in between.
	w.age += passed
	if w.age > w.limits.Call && !w.interrupted {
		w.h.interrupt(w.err)
		w.interrupted = true
		return false
	}

	return w.interrupted && w.age > w.limits.Call+stuckTime && w.limits.Stuck != nil
}
