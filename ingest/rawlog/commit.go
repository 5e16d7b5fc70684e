package rawlog

import (
	"fmt"
	"math"
	"runtime"
	"time"
)

// commitBatches is the committer. Until Close it makes one batch after the other
// durable and wakes the calls that wait for it. Between batches it finishes files and
// prepares the next.
func (l *Log) commitBatches() {
	defer close(l.done)

	// The timer runs from the first submission of a file on.
	age := time.NewTimer(l.o.MaxAge)
	age.Stop()
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for {
		select {
		case <-l.wake:
		case <-age.C:
			l.rotate()
			continue
		case <-watch.C:
			l.look(age)
			continue
		}

		// Handlers that could run come first: on a busy machine their submissions
		// join this batch, and one sync serves more of them.
		runtime.Gosched()
		b, closed := l.takeBatch()
		if b != nil {
			start := time.Now()
			b.err = l.commit(b, age)
			l.o.Committed(len(b.entries), time.Since(start), b.err)
			close(b.done)
		}

		// The calls that waited go on; the rest is for the next batch.
		l.prepare()
		if l.file != nil && l.file.off >= l.o.MaxBytes {
			age.Stop()
			l.rotate()
		}
		if closed { // then no entry can have been queued after this batch
			age.Stop()
			l.rotate()
			l.finishing.Wait()
			l.dropSpares()
			return
		}
	}
}

// takeBatch returns what has gathered, and whether Close was called. A new batch
// begins. Without entries it returns nil: the batch goes on gathering, and only calls
// that hold the lock may look at it.
func (l *Log) takeBatch() (gathered *batch, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if len(l.next.entries) == 0 {
		return nil, l.closed
	}

	// The next batch is probably as large as this one, so its list gets that room now.
	gathered = l.next
	l.next = newBatch()
	l.next.entries = make([]*Entry, 0, len(gathered.entries)+8)

	return gathered, l.closed
}

// commit makes b durable. After an error it is not known which of b's bytes are on
// the disk. So the file ends before them, and the next batch begins a new file.
func (l *Log) commit(b *batch, age *time.Timer) error {
	if l.detached != nil {
		return l.detached
	}

	// Below the reserve nothing is written; the spares would only occupy what lacks.
	free := l.space()
	if free < l.o.Reserve {
		l.dropSpares()
		err := fmt.Errorf("%w: %d bytes free of %d", ErrReserve, free, l.o.Reserve)
		l.refuse(refusedFull, "", err)
		return err
	}

	// The first submission begins a file, whose age counts from here.
	if l.file == nil {
		begun, err := l.begin()
		if err != nil {
			l.refuse(refusalOf(err), "", err)
			return err
		}

		l.file = begun
		age.Reset(l.o.MaxAge)
	}

	before := l.file.off
	if err := l.file.append(b.entries, l.free-l.o.Reserve); err != nil {
		l.refuse(refusalOf(err), l.file.name, err)
		age.Stop()
		l.rotate()
		return err
	}

	// What has no name any more will not be converted: this batch was not stored.
	if !l.file.isLinked() {
		l.file.off = before
		l.abandon(age)
		return ErrRemoved
	}

	l.accept()

	// The next file is filled with zeros at the pace of submissions.
	l.written.Add(l.file.off - before)
	signal(l.grown)
	return nil
}

// watchEvery is how often the committer looks whether the raw log is still there.
const watchEvery = 400 * time.Millisecond

// look finds out whether people moved or removed the raw log, or the folder, under the
// server.
func (l *Log) look(age *time.Timer) {
	was := l.detached
	l.detached = nil
	if l.o.Attached != nil {
		l.detached = l.o.Attached()
	}
	if l.detached != nil && was == nil {
		l.o.Log.Error("the folder of raw logs is not where it was; submissions are refused until it is back, or the server is started again", "err", l.detached)
	}
	if l.detached == nil && was != nil {
		l.o.Log.Info("the folder of raw logs is back")
	}

	if l.detached == nil && l.file != nil && !l.file.isThere() {
		l.abandon(age)
	}
}

// abandon ends the raw log that was removed under the server; finishing it writes it
// again.
func (l *Log) abandon(age *time.Timer) {
	l.o.Log.Error("a raw log was moved or removed under the server; what was acknowledged is written again, and submissions go on in a fresh one", "log", l.file.name)
	age.Stop()
	l.rotate()
}

// rotate finishes the current raw log, if any, in the background.
func (l *Log) rotate() {
	full := l.file
	if full == nil {
		return
	}
	l.file = nil

	// In the background, because no submission has to wait for the end of a file.
	l.finishing.Go(func() {
		if err := full.finish(); err != nil {
			// The file is closed and so unlocked: a conversion claims it as it claims one
			// that a crash left.
			if l.refusing.Load() == nil { // else the log has the reason
				l.o.Log.Error("cannot finish a raw log; it stays as it is", "log", full.name, "err", err)
			}
		} else {
			l.linkSpare(full)
		}
		if l.o.Finished != nil {
			l.o.Finished()
		}
	})
}

// spaceEvery is how long a figure of free space is used before it is read again.
const spaceEvery = 100 * time.Millisecond

// space returns how many bytes of the disk are free, or were at most spaceEvery ago.
// If the disk does not say, it has enough.
func (l *Log) space() int64 {
	now := time.Now()
	if now.Sub(l.checked) <= spaceEvery {
		return l.free
	}

	free, err := l.disk.free()
	if err != nil {
		free = math.MaxInt64
	}

	l.free, l.checked = free, now
	return l.free
}
