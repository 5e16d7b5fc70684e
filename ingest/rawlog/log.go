package rawlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FinishedSuffix ends the name of a raw log that nobody appends to any more.
const FinishedSuffix = ".finished"

// Prefix begins the name of every raw log that we write.
const Prefix = "telemetry.log.v3."

var (
	// ErrClosed is returned by Append once Close has been called.
	ErrClosed = errors.New("raw log is closed")
	// ErrTooLong is returned by Append for a path or body that no entry can hold.
	ErrTooLong = errors.New("submission is longer than an entry holds")
	// ErrReserve is returned by Append while less space is free than the reserve.
	ErrReserve = errors.New("free space is below the reserve")
)

// Options configures a Log; get it from DefaultOptions.
type Options struct {
	// Host is the second part of a raw log's name; characters outside
	// [a-zA-Z0-9_-] become "_".
	Host string
	// MaxBytes is the size from which on a raw log is finished. Default 500 MiB.
	MaxBytes int64
	// MaxAge is how long after its first submission a raw log is finished.
	// Default 5 minutes.
	MaxAge time.Duration
	// Reserve is how many bytes of the disk stay free: below it nothing is
	// appended, so that conversion, which frees space, has room. Default 256 MiB;
	// zero means that the disk may fill up.
	Reserve int64
	// Finished is called, perhaps from several goroutines, after a raw log has
	// been closed for good. It must not block. May be nil.
	Finished func()
	// Committed is called by the committer after each batch: how many submissions
	// it held, how long writing and syncing it took, and what that failed with. It
	// must not block. May be nil.
	Committed func(submissions int, took time.Duration, err error)
	Log       *slog.Logger
}

// DefaultOptions returns the options described at Options.
func DefaultOptions() Options {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return Options{
		Host: host, MaxBytes: 500 << 20, MaxAge: 5 * time.Minute, Reserve: 256 << 20,
		Log: slog.New(slog.DiscardHandler),
	}
}

// Log makes submissions durable: one raw log file after the other in a folder,
// appended to by one goroutine. Submissions that arrive while a batch is being
// written and synced form the next batch, so that latency follows the disk and
// one sync serves all who wait. Its methods are safe for concurrent use.
type Log struct {
	o    Options
	disk disk
	done chan struct{} // closed when the committer has ended
	wake chan struct{} // one token: there is a batch, or Close was called

	waiting   atomic.Int64  // submissions that wait to be durable
	written   atomic.Int64  // bytes of entries, of all files
	preparing atomic.Bool   // the next file is being filled
	closing   atomic.Bool   // Close was called; preparing stops
	grown     chan struct{} // one token: written or closing has changed

	mu     sync.Mutex // protects next and closed
	next   *batch
	closed bool

	// What follows belongs to the committer.
	file      *logFile
	buf       []byte // see logFile
	lastName  int64  // unix ms in the last name given
	spares    []string
	finishing sync.WaitGroup
	free      int64      // bytes free on the disk at checked
	checked   time.Time  // see space
	spareMu   sync.Mutex // protects spares, which finishing goroutines add to
}

// batch is what one write and one sync make durable.
type batch struct {
	entries []*Entry
	done    chan struct{} // closed when err is final
	err     error
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// Open returns a Log that writes into the folder raw, which it does not
// close. No file is made before the first submission. The caller must Close it.
func Open(raw *os.Root, o Options) (*Log, error) {
	return openLog(rootDisk{raw}, o)
}

func openLog(d disk, o Options) (*Log, error) {
	if o.MaxBytes <= 0 || o.MaxAge <= 0 || o.Reserve < 0 {
		return nil, fmt.Errorf("raw log options: MaxBytes %d and MaxAge %v must be positive, Reserve %d not negative", o.MaxBytes, o.MaxAge, o.Reserve)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Committed == nil {
		o.Committed = func(int, time.Duration, error) {}
	}
	o.Host = strings.Map(func(r rune) rune {
		if r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, o.Host)
	if err := removeHidden(d); err != nil {
		return nil, fmt.Errorf("open raw log: %w", err)
	}
	l := &Log{o: o, disk: d, done: make(chan struct{}), wake: make(chan struct{}, 1), grown: make(chan struct{}, 1), next: newBatch(), buf: makeBlocks(bufferBytes)}
	go l.run()
	return l, nil
}

// Append returns nil when all of subs are durable: encoded, written and synced, by
// one sync. It neither keeps nor changes them. It returns ErrTooLong, ErrClosed,
// ErrReserve, ctx's error if ctx has ended before they were queued, or the disk's
// error; then nothing may be assumed of any of them.
func (l *Log) Append(ctx context.Context, subs ...Submission) error {
	for _, s := range subs {
		if len(s.Country) > maxAddress || len(s.Path) > MaxPathBytes || len(s.Body) > MaxBodyLimit {
			return ErrTooLong
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if len(subs) == 0 {
		return nil
	}
	fs := make([]*Entry, len(subs))
	for i, s := range subs {
		fs[i] = NewEntry(s.Country, s.Path, len(s.Body), s.Time)
		copy(fs[i].Body(), s.Body)
		fs[i].Seal()
	}
	err := l.AppendEntries(fs...)
	for _, f := range fs {
		f.Free()
	}
	return err
}

// AppendEntries queues sealed entries as one unit and waits until all are durable.
// The caller keeps them; the Log does not touch them after AppendEntries has
// returned. Errors are as Append's.
func (l *Log) AppendEntries(entries ...*Entry) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	b := l.next
	b.entries = append(b.entries, entries...)
	l.mu.Unlock()
	signal(l.wake)
	l.waiting.Add(int64(len(entries)))
	<-b.done
	l.waiting.Add(-int64(len(entries)))
	return b.err
}

// Close makes everything queued durable, finishes the raw log and waits for
// that. It is idempotent.
func (l *Log) Close() error {
	l.closing.Store(true)
	signal(l.grown)
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	signal(l.wake)
	<-l.done
	return nil
}

// signal puts a token into c unless there is one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

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
