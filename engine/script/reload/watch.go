package reload

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// batchTime is how long events are gathered before the folder is looked through.
const batchTime = 20 * time.Millisecond

// Run takes changes over until ctx ends.
func (f *Folder[T]) Run(ctx context.Context) {
	if f.o.Logger != nil {
		f.log = f.o.Logger
	}
	for _, v := range f.All() {
		f.tell(v)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		f.log.Warn("cannot watch the folder; it is looked through from time to time", "dir", f.dir, "every", pollTime, "err", err)
		f.poll(ctx, nil, nil, func() {})
		return
	}
	defer w.Close()
	var watched os.FileInfo
	f.poll(ctx, w.Events, w.Errors, func() {
		// The name may lead to another folder than before; events would come from
		// the old one.
		info, err := os.Stat(f.dir)
		alive := slices.Contains(w.WatchList(), f.dir) // a removed folder takes its watch along
		if err == nil && alive && os.SameFile(info, watched) {
			return
		}
		if alive {
			w.Remove(f.dir) // fails if it died as we came
		}
		if err == nil && w.Add(f.dir) == nil { // else the next look tries again
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
		}
		if at := time.Now().Add(batchTime); at.Before(next) {
			timer.Reset(batchTime)
			next = at
		}
	}
}
