package revisions

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
	"weak"

	"golang.org/x/time/rate"
)

var (
	// ErrNotFound is returned (wrapped) when the server says that it has no
	// definitions for the revision.
	ErrNotFound = errors.New("no such revision")
	// ErrUnavailable is returned (wrapped) when no server could be asked: it is
	// down, slow or sends something else than definitions, or the cache is offline.
	// Try again later.
	ErrUnavailable = errors.New("revision server unavailable")
	// ErrBudget is the ErrUnavailable of a revision that was not requested, because there
	// were too many others.
	ErrBudget = fmt.Errorf("%w: too many revisions were requested in the last minute", ErrUnavailable)
	// ErrNotCached is the ErrUnavailable of Local for what is not on disk.
	ErrNotCached = fmt.Errorf("%w: not in the cache", ErrUnavailable)
	// ErrEnding is the ErrUnavailable of a cache whose program ends.
	ErrEnding = fmt.Errorf("%w: the program ends", ErrUnavailable)
	// ErrOffline is the ErrUnavailable of a cache that is offline.
	ErrOffline = fmt.Errorf("%w: offline", ErrUnavailable)
)

// Cache finds the Spec of a revision; see the package comment. It is safe for
// concurrent use.
type Cache struct {
	o      Options
	root   *os.Root // nil without Dir
	server *url.URL // nil if offline
	now    func() time.Time
	page   int // how many changes are requested at once

	budget *rate.Limiter   // of requests for revisions
	ending context.Context // ends when nothing more is to be fetched
	end    context.CancelFunc

	mu      sync.Mutex // protects what follows
	entries map[Ref]*entry
	byHash  map[[sha256.Size]byte]weak.Pointer[Spec]
	down    time.Time // until when the server is not asked
	clock   int64     // counts uses, for the least recent one

	history historyFile
}

// entry is the result of one revision. The channel done closes when the rest is
// set.
type entry struct {
	done    chan struct{}
	spec    *Spec
	err     error
	until   time.Time // when err expires
	lastUse int64
}

// NewCache checks o and opens the folder. Close the Cache when done.
func NewCache(o Options) (*Cache, error) {
	if o.MaxSpecs < 1 {
		return nil, fmt.Errorf("revision cache: MaxSpecs is %d, at least 1", o.MaxSpecs)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: sameHost}
	}

	server, err := o.serverURL()
	if err != nil {
		return nil, err
	}

	root, err := o.openDir()
	if err != nil {
		return nil, err
	}

	budget := rate.NewLimiter(rate.Inf, 0)
	if o.FetchesPerMinute > 0 {
		budget = rate.NewLimiter(rate.Limit(o.FetchesPerMinute)/60, o.FetchesPerMinute)
	}
	ending, end := context.WithCancel(context.Background())
	return &Cache{
		budget: budget, ending: ending, end: end,
		o: o, root: root, server: server, now: time.Now, page: pageSize,
		entries: make(map[Ref]*entry), byHash: make(map[[sha256.Size]byte]weak.Pointer[Spec]),
	}, nil
}

// StopFetching ends all requests after a while, and lets none begin from then on: what is
// not in memory or on disk is unavailable. A program that ends does not wait for a slow
// server.
func (c *Cache) StopFetching(after time.Duration) {
	time.AfterFunc(after, c.end)
}

// Close closes the folder.
func (c *Cache) Close() error {
	c.end()
	if c.root == nil {
		return nil
	}
	return c.root.Close()
}

// Spec returns the definitions of ref. Errors wrap ErrNotFound, ErrUnavailable
// or ErrBadDefinitions, or are the context's. Concurrent calls for the same ref
// share one request. If the context of the call that sends it ends, another call
// sends its own.
func (c *Cache) Spec(ctx context.Context, ref Ref) (*Spec, error) {
	for {
		e, mine := c.claim(ref)
		if mine {
			c.fill(ctx, ref, e)
			return e.spec, e.err
		}

		// Another call fetches it: wait for its result.
		select {
		case <-e.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !isContext(e.err) {
			return e.spec, e.err
		}
		// The other call gave up, for a reason that does not concern this one.
	}
}

// AtHand returns the definitions of ref if they are in memory or on the disk, else nil. It
// sends no request.
func (c *Cache) AtHand(ref Ref) *Spec {
	c.mu.Lock()
	e := c.entries[ref]
	c.mu.Unlock()
	if e != nil {
		select {
		case <-e.done:
			if e.err == nil {
				return e.spec
			}
		default: // it is being fetched
		}
	}

	text, err := c.readDisk(ref)
	if err != nil {
		return nil
	}
	spec, err := c.parse(text)
	if err != nil {
		c.o.Log.Warn("cached definitions are damaged", "revision", ref, "err", err)
		return nil
	}
	return spec
}

// isContext says whether the caller's own context ended, not a request's timeout.
func isContext(err error) bool {
	return !errors.Is(err, ErrUnavailable) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// claim returns the entry of ref, and whether the caller must fill it.
func (c *Cache) claim(ref Ref) (e *entry, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.clock++
	// A failure counts until it expires, a success for ever.
	e = c.entries[ref]
	if e != nil && (e.err == nil || c.now().Before(e.until)) {
		e.lastUse = c.clock
		return e, false
	}

	if len(c.entries) >= c.o.MaxSpecs {
		c.evict()
	}

	// The new entry is in the map before it is filled, so that other calls wait for it.
	e = &entry{done: make(chan struct{}), lastUse: c.clock}
	c.entries[ref] = e
	return e, true
}

// evict drops the finished entry that was used least recently, and the hashes
// whose Spec is no longer in memory. The caller holds mu.
func (c *Cache) evict() {
	var oldest Ref
	at := int64(-1)
	for ref, e := range c.entries {
		select {
		case <-e.done:
			if at < 0 || e.lastUse < at {
				oldest, at = ref, e.lastUse
			}
		default: // it is being filled
		}
	}

	// All may be in use, then the map grows by a few.
	delete(c.entries, oldest)

	for hash, spec := range c.byHash {
		if spec.Value() == nil {
			delete(c.byHash, hash)
		}
	}
}

// fill loads ref into e and wakes the calls that wait for it.
func (c *Cache) fill(ctx context.Context, ref Ref, e *entry) {
	spec, err := c.load(ctx, ref)

	c.mu.Lock()
	defer c.mu.Unlock()
	e.spec, e.err = spec, err
	switch {
	case err == nil:
	case isContext(err):
		e.until = time.Time{}
	case errors.Is(err, ErrBudget):
		// The next call may find room, and must not wait.
		e.until = time.Time{}
	case errors.Is(err, ErrUnavailable):
		e.until = c.now().Add(c.o.UnavailableTTL)
	default:
		e.until = c.now().Add(c.o.NotFoundTTL)
	}

	close(e.done)
}

// load reads ref's definitions from disk, or fetches and saves them.
func (c *Cache) load(ctx context.Context, ref Ref) (*Spec, error) {
	// A file that does not parse counts as missing, and is replaced.
	if text, err := c.readDisk(ref); err == nil {
		spec, err := c.parse(text)
		if err == nil {
			if noted, _ := c.checkSum(ref, text); !noted {
				c.noteSum(ref, text)
			}
			return spec, nil
		}
		c.o.Log.Warn("cached definitions are damaged", "revision", ref, "err", err)
	}

	text, err := c.fetch(ctx, ref)
	if err != nil {
		return nil, err
	}

	// The file on disk has numbers for the constants, so that no reader needs to know them.
	text = replaceConstants(text)
	spec, err := c.parse(text)
	if err != nil {
		return nil, fmt.Errorf("revision %s: %w", ref, err)
	}

	c.save(ref, text)
	return spec, nil
}

// parse returns the Spec of text, the same one for the same text.
func (c *Cache) parse(text []byte) (*Spec, error) {
	hash := sha256.Sum256(text)
	c.mu.Lock()
	spec := c.byHash[hash].Value()
	c.mu.Unlock()
	if spec != nil {
		return spec, nil
	}

	spec, err := Parse(text)
	if err != nil {
		return nil, err
	}

	// Another call may have parsed the same text meanwhile: the first one counts.
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.byHash[hash].Value(); other != nil {
		return other, nil
	}

	c.byHash[hash] = weak.Make(spec)
	return spec, nil
}

// Sum returns the Sum that Spec's result for ref would have, without parsing a file on
// disk. Errors are those of Spec.
func (c *Cache) Sum(ctx context.Context, ref Ref) ([sha256.Size]byte, error) {
	if text, err := c.readDisk(ref); err == nil {
		return sha256.Sum256(text), nil
	}

	spec, err := c.Spec(ctx, ref)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return spec.Sum(), nil
}

// Raw returns the text of ref's Histograms.json as it is cached: as the server
// has it, but with numbers for the C++ constants whose value is known. Errors are
// those of Spec.
func (c *Cache) Raw(ctx context.Context, ref Ref) ([]byte, error) {
	if _, err := c.Spec(ctx, ref); err != nil {
		return nil, err
	}

	// Without a folder, or with one that cannot be written, the text is not at hand.
	if text, err := c.readDisk(ref); err == nil {
		return text, nil
	}

	text, err := c.fetch(ctx, ref)
	return replaceConstants(text), err
}
