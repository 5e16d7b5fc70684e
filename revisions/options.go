package revisions

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Options configure a Cache. Start from DefaultOptions.
type Options struct {
	// Dir is the folder of <repo>/<revision>/Histograms.json; it is made if it is
	// missing. Empty: nothing is cached on disk.
	Dir string
	// Server is the Mercurial server's root URL; without a scheme, https.
	Server string
	// Offline means that no request is ever sent.
	Offline bool
	// Timeout bounds one request, retries not included. Zero: none.
	Timeout time.Duration
	// Retries is how often a failed request is repeated, after RetryDelay, then
	// twice that, and so on.
	Retries    int
	RetryDelay time.Duration
	// NotFoundTTL is how long a revision that the server does not have is not
	// requested again. UnavailableTTL is the same for a revision whose request
	// failed, and for the whole server when it did not answer.
	NotFoundTTL, UnavailableTTL time.Duration
	// FetchesPerMinute bounds how many revisions are requested from the server, on average,
	// and how many at once after a pause. What is beyond it is unavailable for now. Zero:
	// any number.
	FetchesPerMinute int
	// MaxSpecs bounds the specifications in memory, at about 150 kB each.
	MaxSpecs int
	// Client sends the requests; nil: one that stays on the server's host.
	Client *http.Client
	// Log gets a line for each fetch and for each cache file that cannot be used.
	// Nil: none.
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

// openDir opens the cache's folder; nil if there is none.
func (o *Options) openDir() (*os.Root, error) {
	if o.Dir == "" {
		return nil, nil
	}
	// Offline nothing is written, so the folder may be one that is read-only.
	if !o.Offline {
		if err := os.MkdirAll(o.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("revision cache: %w", err)
		}
	}

	root, err := os.OpenRoot(o.Dir)
	if o.Offline && errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing is cached yet, which is no error
	}
	if err != nil {
		return nil, fmt.Errorf("revision cache: %w", err)
	}

	return root, nil
}

// serverURL returns the server's root; nil if the cache is offline.
func (o *Options) serverURL() (*url.URL, error) {
	if o.Offline {
		return nil, nil
	}

	// A bare host name means https.
	server := o.Server
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}

	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("revision server %q: want http[s]://host[/path]", o.Server)
	}

	return u, nil
}

// sameHost refuses redirects that leave the configured server.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > 3 || req.URL.Host != via[0].URL.Host {
		return fmt.Errorf("redirected to %s", req.URL.Host)
	}
	return nil
}
