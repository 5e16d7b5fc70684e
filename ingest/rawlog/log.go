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

// FinishedSuffix ends the name of a raw log that is complete.
const FinishedSuffix = ".finished"

// Prefix begins the name of every raw log that we write.
const Prefix = "telemetry.log.v4."

var (
	// ErrClosed is returned by Append once Close has been called.
	ErrClosed = errors.New("raw log is closed")
	// ErrTooLong is returned by Append for a path or body that no entry can hold.
	ErrTooLong = errors.New("submission is longer than an entry holds")
	// ErrRemoved is returned by Append when the raw log was removed under the server. The
	// next Append goes to a fresh one.
	ErrRemoved = errors.New("the raw log was removed")
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
	// it held, how long writing and syncing it took, and the error if that failed.
	// It must not block. May be nil.
	Committed func(submissions int, took time.Duration, err error)
	// Attached returns an error when the folder is not the one any more whose raw logs are
	// converted, because it was moved or replaced: then Append returns that. It is called
	// about twice a second. May be nil.
	Attached func() error
	// Log gets the errors of the disk that no Append returns. Nil: discarded.
	Log *slog.Logger
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
// appended to by one goroutine, the committer. Submissions that arrive while a batch
// is being written and synced form the next batch, so that latency follows the disk
// and one sync serves all that wait. Its methods are safe for concurrent use.
type Log struct {
	o    Options
	disk disk
	done chan struct{} // closed when the committer has ended
	wake chan struct{} // one token: there is a batch, or Close was called

	waiting   atomic.Int64           // submissions that wait to be durable
	refusing  atomic.Pointer[string] // why the last batch was not taken; nil: it was
	written   atomic.Int64           // bytes of entries, of all files
	preparing atomic.Bool            // the next file is being filled with zeros
	closing   atomic.Bool            // Close was called; preparing stops
	grown     chan struct{}          // one token: written or closing has changed

	mu     sync.Mutex // protects next and closed
	next   *batch
	closed bool

	// What follows belongs to the committer.
	file      *logFile
	buf       []byte // see logFile
	lastName  int64  // unix ms in the last name given
	free      int64  // bytes free on the disk at checked
	checked   time.Time
	detached  error // see Options.Attached
	finishing sync.WaitGroup

	probing sync.Mutex // held during a probe

	spareMu sync.Mutex // protects spares, which finishing goroutines add to
	spares  []string
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

	// Fill in what may be left out.
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Committed == nil {
		o.Committed = func(int, time.Duration, error) {}
	}
	o.Host = strings.Map(hostRune, o.Host)

	// A crash leaves files that no process will ever use.
	if err := removeHidden(d); err != nil {
		return nil, fmt.Errorf("open raw log: %w", err)
	}

	l := &Log{
		o: o, disk: d, done: make(chan struct{}), wake: make(chan struct{}, 1), grown: make(chan struct{}, 1),
		next: newBatch(), buf: makeBlocks(bufferBytes),
	}
	go l.commitBatches()
	return l, nil
}

// hostRune returns r if it may be in the host part of a name, else '_'.
func hostRune(r rune) rune {
	if r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
		return r
	}
	return '_'
}

// Append returns nil when all of subs are durable: encoded, written and synced, by
// one sync. It neither changes them nor holds references to them after returning. It
// returns ErrTooLong, ErrClosed, ErrReserve, ctx's error if ctx has ended before they
// were queued, or the disk's error; then any of them may be stored or not.
func (l *Log) Append(ctx context.Context, subs ...Submission) error {
	// Check all before any is queued: they are stored together or not at all.
	for _, sub := range subs {
		if len(sub.Country) > maxAddressBytes || len(sub.Path) > MaxPathBytes || len(sub.Request) > MaxRequestBytes || len(sub.Body) > MaxBodyLimit {
			return ErrTooLong
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if len(subs) == 0 {
		return nil
	}

	// The submissions remain the caller's, so their bytes are copied.
	entries := make([]*Entry, len(subs))
	for i, sub := range subs {
		entries[i] = NewEntry(&sub, len(sub.Body))
		copy(entries[i].Body(), sub.Body)
		entries[i].Seal()
	}

	err := l.AppendEntries(entries...)
	for _, entry := range entries {
		entry.Free()
	}
	return err
}

// AppendEntries adds sealed entries to the next batch and waits until it is durable.
// They remain the caller's; the Log does not touch them after AppendEntries has
// returned. Errors are as Append's.
func (l *Log) AppendEntries(entries ...*Entry) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}

	joined := l.next
	joined.entries = append(joined.entries, entries...)
	l.mu.Unlock()

	// The count makes conversion rest while calls wait; see Pace.
	signal(l.wake)
	l.waiting.Add(int64(len(entries)))
	<-joined.done
	l.waiting.Add(-int64(len(entries)))
	return joined.err
}

// Ready returns nil if a submission could be made durable now, else the error that Append
// would probably return: ErrClosed or ErrReserve.
func (l *Log) Ready() error {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return ErrClosed
	}

	free, err := l.disk.free()
	if err == nil && free < l.o.Reserve {
		return fmt.Errorf("%w: %d bytes free of %d", ErrReserve, free, l.o.Reserve)
	}
	return nil
}

// Close makes everything queued durable, finishes the raw log and waits for
// that. It is idempotent.
func (l *Log) Close() error {
	// The next file may be in the making: that would only delay the end.
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

		// Clients wait for the disk: leave it, and the processor, to them.
		if l.waiting.Load() > paceWaiting {
			time.Sleep(min(paceRest*worked, time.Second))
		}
		start = time.Now()
	}
}
