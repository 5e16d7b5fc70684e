package rawlog

import (
	"fmt"
	"math"
	"runtime"
	"time"
)

// run is the committer: it takes what has gathered, writes and syncs it, and
// tells those who wait, until Close.
func (l *Log) run() {
	defer close(l.done)
	age := time.NewTimer(l.o.MaxAge)
	age.Stop()
	for {
		select {
		case <-l.wake:
		case <-age.C:
			l.rotate()
			continue
		}
		// Handlers that could run come first: on a busy machine their submissions
		// join this batch, and one sync serves more of them.
		runtime.Gosched()
		l.mu.Lock()
		b, n, closed := l.next, len(l.next.entries), l.closed
		if n > 0 {
			l.next = newBatch()
			l.next.entries = make([]*Entry, 0, n+8)
		}
		l.mu.Unlock()
		if n > 0 {
			start := time.Now()
			b.err = l.commit(b, age)
			l.o.Committed(n, time.Since(start), b.err)
			close(b.done)
		}
		l.prepare()
		if l.file != nil && l.file.off >= l.o.MaxBytes {
			age.Stop()
			l.rotate()
		}
		if closed { // nothing can have been queued after this batch
			age.Stop()
			l.rotate()
			l.finishing.Wait()
			l.dropSpares()
			return
		}
	}
}

// commit makes b durable. After an error nothing is known of b's bytes, so the
// file ends before them, and the next batch begins a fresh one.
func (l *Log) commit(b *batch, age *time.Timer) error {
	if free := l.space(); free < l.o.Reserve {
		l.dropSpares()
		return fmt.Errorf("%w: %d bytes free of %d", ErrReserve, free, l.o.Reserve)
	}
	if l.file == nil {
		f, err := l.begin()
		if err != nil {
			l.o.Log.Error("cannot begin a raw log", "err", err)
			return err
		}
		l.file = f
		age.Reset(l.o.MaxAge)
	}
	before := l.file.off
	if err := l.file.append(b.entries, l.free-l.o.Reserve); err != nil {
		l.o.Log.Error("raw log is torn; going on in a fresh one", "log", l.file.name, "err", err)
		age.Stop()
		l.rotate()
		return err
	}
	l.written.Add(l.file.off - before)
	signal(l.grown)
	return nil
}

// rotate finishes the current raw log, if any, in the background.
func (l *Log) rotate() {
	f := l.file
	if f == nil {
		return
	}
	l.file = nil
	l.finishing.Go(func() {
		if err := f.finish(); err != nil {
			// Closed and thereby unlocked, it is picked up like one that a crash left.
			l.o.Log.Error("cannot finish a raw log; it stays as it is", "log", f.name, "err", err)
		} else {
			l.keepSpare(f)
		}
		if l.o.Finished != nil {
			l.o.Finished()
		}
	})
}

// spaceEvery is how long an answer about free space is believed.
const spaceEvery = 100 * time.Millisecond

// space returns how many bytes of the disk are free, or were just now. A disk
// that does not say has enough.
func (l *Log) space() int64 {
	if now := time.Now(); now.Sub(l.checked) > spaceEvery {
		free, err := l.disk.free()
		if err != nil {
			free = math.MaxInt64
		}
		l.free, l.checked = free, now
	}
	return l.free
}
