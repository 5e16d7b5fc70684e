package tap

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/forget"
)

const (
	// maxListeners bounds the goroutines and queues of listeners.
	maxListeners = 16
	// maxQueueBytes bounds the submissions that one listener has not been sent.
	maxQueueBytes = 16 << 20
	// maxQueue is how many submissions these are at most.
	maxQueue = 256
)

// Options configures New.
type Options struct {
	// Conversion returns how submissions are converted and decided about now.
	Conversion func() (*decide.Conversion, error)
	// Forgotten returns the clients that are forgotten now.
	Forgotten func(context.Context) (*forget.Set, error)
	Log       *slog.Logger
}

// Tap shows submissions to listeners. It is safe for concurrent use.
type Tap struct {
	o         Options
	listening atomic.Int32  // len(listeners), read without mu
	closed    chan struct{} // closed by Close

	mu        sync.Mutex // protects what follows
	listeners []*listener
	isClosed  bool
}

// New returns a Tap without listeners.
func New(o Options) *Tap { return &Tap{o: o, closed: make(chan struct{})} }

// Close ends all listeners and rejects later ones. It does not wait for their end.
func (t *Tap) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.isClosed {
		t.isClosed = true
		close(t.closed)
	}
}

// Show shows a submission that is stored. It copies the body where a listener selects it.
// A nil Tap shows nothing.
func (t *Tap) Show(s *rawlog.Submission) {
	// Almost always there is no listener, and then this costs one atomic load.
	if t == nil || t.listening.Load() == 0 {
		return
	}

	t.mu.Lock()
	defer t.mu.Unlock()

	var shown *rawlog.Submission // one copy for all
	for _, l := range t.listeners {
		if !l.selection.selects(s) {
			continue
		}

		// The queue outlives this call, so it gets a copy of its own.
		if shown == nil {
			copied := *s
			copied.Body = slices.Clone(s.Body)
			shown = &copied
		}

		l.add(shown)
	}
}

// listen adds a listener, unless there are too many.
func (t *Tap) listen(s selection) (*listener, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if len(t.listeners) >= maxListeners || t.isClosed {
		return nil, false
	}

	l := &listener{selection: s, queue: make(chan *rawlog.Submission, maxQueue)}
	t.listeners = append(t.listeners, l)
	t.listening.Store(int32(len(t.listeners)))
	return l, true
}

// leave removes a listener.
func (t *Tap) leave(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = slices.DeleteFunc(t.listeners, func(other *listener) bool { return other == l })
	t.listening.Store(int32(len(t.listeners)))
}

// listener is one client of GET /tap.
type listener struct {
	selection selection
	queue     chan *rawlog.Submission
	bytes     atomic.Int64 // of the bodies in queue
	missed    atomic.Int64 // submissions for which there was no room, since the last event
}

// add queues a submission, or counts it as missed.
func (l *listener) add(s *rawlog.Submission) {
	// A body that alone is over the limit is queued when the queue is empty.
	size := int64(len(s.Body))
	if l.bytes.Load()+size > maxQueueBytes && l.bytes.Load() > 0 {
		l.missed.Add(1)
		return
	}

	l.bytes.Add(size)

	// The caller answers a client, and must not wait for a listener.
	select {
	case l.queue <- s:
	default:
		l.bytes.Add(-size)
		l.missed.Add(1)
	}
}
