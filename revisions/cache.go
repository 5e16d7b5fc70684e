package revisions

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
	"weak"
)

var (
	// ErrNotFound is returned (wrapped) when the server says that it has no
	// definitions for the revision.
	ErrNotFound = errors.New("no such revision")
	// ErrUnavailable is returned (wrapped) when nobody could be asked: the server
	// is down, slow or talks nonsense, or the cache is offline. Ask again later.
	ErrUnavailable = errors.New("revision server unavailable")
	// ErrOffline is the ErrUnavailable of a cache that is offline.
	ErrOffline = fmt.Errorf("%w: offline", ErrUnavailable)
)

// Options configure a Cache. Start from DefaultOptions.
type Options struct {
	// Dir is the folder of <repo>/<revision>/Histograms.json; it is made when
	// missing. Empty: nothing is kept on disk.
	Dir string
	// Server is the Mercurial server's root URL; without a scheme, https.
	Server string
	// Offline means that no server is ever asked.
	Offline bool
	// Timeout bounds one request, retries not included. Zero: none.
	Timeout time.Duration
	// Retries is how often a failed request is repeated, after RetryDelay, then
	// twice that, and so on.
	Retries    int
	RetryDelay time.Duration
	// NotFoundTTL is how long a revision that the server does not know stays
	// unasked; UnavailableTTL is the same for one that could not be asked for, and
	// for the whole server when it did not answer.
	NotFoundTTL, UnavailableTTL time.Duration
	// MaxSpecs bounds the specifications held in memory, at about 150 kB each.
	MaxSpecs int
	// Client sends the requests; nil: one that stays on the server's host.
	Client *http.Client
	// Log hears of fetches and of cache files that cannot be used. Nil: nobody.
	Log *slog.Logger
}

// DefaultOptions returns the options for hg.mozilla.org without a disk cache.
func DefaultOptions() Options {
	return Options{
		Server:         "https://" + DefaultHost,
		Timeout:        30 * time.Second,
		Retries:        2,
		RetryDelay:     500 * time.Millisecond,
		NotFoundTTL:    time.Hour,
		UnavailableTTL: 15 * time.Second,
		MaxSpecs:       256,
	}
}

// definitionsFile is the file's name in the cache, definitionsPath its place in
// the browsers' repositories.
const (
	definitionsFile = "Histograms.json"
	definitionsPath = "toolkit/components/telemetry/Histograms.json"
)

// Cache finds the Spec of a revision; see the package comment. It is safe for
// concurrent use.
type Cache struct {
	o      Options
	root   *os.Root // nil without Dir
	server *url.URL
	now    func() time.Time
	page   int // how many changes are asked for at once

	mu      sync.Mutex // protects what follows
	entries map[Ref]*entry
	byHash  map[[sha256.Size]byte]weak.Pointer[Spec]
	down    time.Time // until when the server is not asked
	clock   int64     // counts uses, for the least recent one

	history historyFile
}

// entry is what is known of one revision; done closes when the rest is set.
type entry struct {
	done    chan struct{}
	spec    *Spec
	err     error
	until   time.Time // when err expires
	lastUse int64
}

// NewCache checks o and opens the folder. Close the Cache when done.
func NewCache(o Options) (*Cache, error) {
	c := &Cache{o: o, now: time.Now, page: pageSize, entries: make(map[Ref]*entry), byHash: make(map[[sha256.Size]byte]weak.Pointer[Spec])}
	if c.o.Log == nil {
		c.o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxSpecs < 1 {
		return nil, fmt.Errorf("revision cache: MaxSpecs is %d, at least 1", o.MaxSpecs)
	}
	if !o.Offline {
		server := o.Server
		if !strings.Contains(server, "://") {
			server = "https://" + server
		}
		u, err := url.Parse(server)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("revision server %q: want http[s]://host[/path]", o.Server)
		}
		c.server = u
	}
	if c.o.Client == nil {
		c.o.Client = &http.Client{CheckRedirect: sameHost}
	}
	if o.Dir != "" {
		if !o.Offline {
			if err := os.MkdirAll(o.Dir, 0o755); err != nil {
				return nil, fmt.Errorf("revision cache: %w", err)
			}
		}
		root, err := os.OpenRoot(o.Dir)
		switch {
		case o.Offline && errors.Is(err, fs.ErrNotExist): // nothing cached yet, which is no error
		case err != nil:
			return nil, fmt.Errorf("revision cache: %w", err)
		default:
			c.root = root
		}
	}
	return c, nil
}

// sameHost refuses redirects that leave the configured server.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > 3 || req.URL.Host != via[0].URL.Host {
		return fmt.Errorf("redirected to %s", req.URL.Host)
	}
	return nil
}

// Close releases the folder.
func (c *Cache) Close() error {
	if c.root == nil {
		return nil
	}
	return c.root.Close()
}

// Spec returns the definitions of ref. Errors wrap ErrNotFound, ErrUnavailable
// or ErrBadDefinitions, or are the context's. Callers that ask for the same ref
// at the same time share one request; when the context of the one who sent it
// ends, another one sends its own.
func (c *Cache) Spec(ctx context.Context, ref Ref) (*Spec, error) {
	for {
		e, mine := c.claim(ref)
		if mine {
			c.fill(ctx, ref, e)
			return e.spec, e.err
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !isContext(e.err) {
			return e.spec, e.err
		}
		// The one who asked gave up; ask ourselves.
	}
}

// isContext says whether the asker's own context ended, not a request's timeout.
func isContext(err error) bool {
	return !errors.Is(err, ErrUnavailable) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// claim returns the entry of ref, and whether the caller must fill it.
func (c *Cache) claim(ref Ref) (e *entry, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	if e = c.entries[ref]; e != nil && (e.err == nil || c.now().Before(e.until)) {
		e.lastUse = c.clock
		return e, false
	}
	if len(c.entries) >= c.o.MaxSpecs {
		c.evict()
	}
	e = &entry{done: make(chan struct{}), lastUse: c.clock}
	c.entries[ref] = e
	return e, true
}

// evict drops the finished entry that was used least recently, and the hashes
// whose Spec nobody holds. The caller holds mu.
func (c *Cache) evict() {
	var oldest Ref
	at := int64(-1)
	for ref, e := range c.entries {
		select {
		case <-e.done:
			if at < 0 || e.lastUse < at {
				oldest, at = ref, e.lastUse
			}
		default:
		}
	}
	delete(c.entries, oldest)
	for h, p := range c.byHash {
		if p.Value() == nil {
			delete(c.byHash, h)
		}
	}
}

// fill loads ref into e and wakes those who wait.
func (c *Cache) fill(ctx context.Context, ref Ref, e *entry) {
	spec, err := c.load(ctx, ref)
	c.mu.Lock()
	defer c.mu.Unlock()
	e.spec, e.err = spec, err
	switch {
	case err == nil:
	case isContext(err):
		e.until = time.Time{}
	case errors.Is(err, ErrUnavailable):
		e.until = c.now().Add(c.o.UnavailableTTL)
	default:
		e.until = c.now().Add(c.o.NotFoundTTL)
	}
	close(e.done)
}

func (c *Cache) load(ctx context.Context, ref Ref) (*Spec, error) {
	if text, err := c.readDisk(ref); err == nil {
		spec, err := c.parse(text)
		if err == nil {
			return spec, nil
		}
		c.o.Log.Warn("cached definitions are damaged", "revision", ref, "err", err)
	}
	text, err := c.fetch(ctx, ref)
	if err != nil {
		return nil, err
	}
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
	h := sha256.Sum256(text)
	c.mu.Lock()
	spec := c.byHash[h].Value()
	c.mu.Unlock()
	if spec != nil {
		return spec, nil
	}
	spec, err := Parse(text)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.byHash[h].Value(); other != nil {
		return other, nil
	}
	c.byHash[h] = weak.Make(spec)
	return spec, nil
}

// Raw returns the text of ref's Histograms.json as it is cached: as the server
// has it, but for the C++ constants whose value is known. Errors are those of Spec.
func (c *Cache) Raw(ctx context.Context, ref Ref) ([]byte, error) {
	if _, err := c.Spec(ctx, ref); err != nil {
		return nil, err
	}
	if text, err := c.readDisk(ref); err == nil {
		return text, nil
	}
	text, err := c.fetch(ctx, ref)
	return replaceConstants(text), err
}
