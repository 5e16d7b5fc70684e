package ingest

import "time"

const (
	// paceWaiting is how many submissions wait for the disk when clients come
	// faster than they are served.
	paceWaiting = 8
	// paceRest is how long conversion rests then, as a multiple of its work.
	paceRest = 9
	// paceTurn is how much work is done in one go, so that rests are worth it.
	paceTurn = 2 * time.Millisecond
)

// Pace returns what a conversion worker calls between two submissions: while
// clients wait for the disk, it makes the worker rest nine tenths of its time.
// Raw logs can be converted later; a client that gives up is lost. The result is
// for one goroutine.
func (l *Log) Pace() func() {
	start := time.Now()
	return func() {
		worked := time.Since(start)
		if worked < paceTurn {
			return
		}
		if l.waiting.Load() > paceWaiting {
			time.Sleep(min(paceRest*worked, time.Second))
		}
		start = time.Now()
	}
}
