package reload

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// batchTime is how long events are gathered before the folder is read.
const batchTime = 20 * time.Millisecond

// Run publishes changes until ctx ends.
func (f *Folder[T]) Run(ctx context.Context) {
	if f.o.Log != nil {
		f.log = f.o.Log
	}

	// What Open has found is reported now, because it had no log.
	for _, version := range f.All() {
		f.report(version)
	}

	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		f.log.Warn("cannot watch the folder; it is read from time to time", "dir", f.dir, "every", pollTime, "err", err)
		f.poll(ctx, nil, nil, func() {})
		return
	}

	defer watcher.Close()

	var watched os.FileInfo
	f.poll(ctx, watcher.Events, watcher.Errors, func() {
		// The name may lead to another folder than before; events would come from
		// the old one.
		info, err := os.Stat(f.dir)
		alive := slices.Contains(watcher.WatchList(), f.dir) // a removed folder has no watch any more
		if err == nil && alive && os.SameFile(info, watched) {
			return
		}
		if alive {
			watcher.Remove(f.dir) // fails if the folder was removed just now
		}
		if err == nil && watcher.Add(f.dir) == nil { // else the next look tries again
			watched = info
		}
	})
}

// poll looks when an event came, when something has settled, and every pollTime;
// before each look it calls watch.
func (f *Folder[T]) poll(ctx context.Context, events <-chan fsnotify.Event, errs <-chan error, watch func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var next time.Time // when the timer fires

	// The timer fires at once: files may have changed since Open.
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			watch()
			wait := f.look(ctx, settleTime)
			timer.Reset(wait)
			next = time.Now().Add(wait)
			continue
		case <-events:
		case <-errs: // events were lost
		case <-f.wake:
		}

		// Something happened: look soon, but let the other events of a save come first.
		if at := time.Now().Add(batchTime); at.Before(next) {
			timer.Reset(batchTime)
			next = at
		}
	}
}
