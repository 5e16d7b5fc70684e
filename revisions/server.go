package revisions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// definitionsFile is the file's name in the cache.
	definitionsFile = "Histograms.json"
	// definitionsPath is its place in the browsers' repositories.
	definitionsPath = "toolkit/components/telemetry/Histograms.json"
	// maxDefinitionsBytes bounds a Histograms.json; the largest real ones have 600 kB.
	maxDefinitionsBytes = 16 << 20
	// maxRetryDelay bounds the pause between two tries.
	maxRetryDelay = time.Minute
)

// errDown marks an error that is about the server, not about the file that was
// requested. Then all requests fail at once until UnavailableTTL has passed;
// otherwise each of a hundred revisions would wait for the same dead server.
var errDown = errors.New("no answer")

// fetch requests ref's file from the server. Errors wrap ErrNotFound or
// ErrUnavailable, or are the context's.
func (c *Cache) fetch(ctx context.Context, ref Ref) ([]byte, error) {
	text, err := c.fetchFrom(ctx, ref, "raw-file", definitionsPath, func(text []byte) error {
		// A proxy may answer 200 with a page of its own, or with half of a file.
		if !isWholeObject(text) {
			return errors.New("the answer is not a whole JSON object")
		}
		return nil
	})
	if err == nil {
		c.o.Log.Info("definitions fetched", "revision", ref)
	}
	return text, err
}

// fetchFrom requests what the server has of ref under the name of one of hgweb's commands,
// within the budget; check is as request's. Errors are as fetch's.
func (c *Cache) fetchFrom(ctx context.Context, ref Ref, command, file string, check func([]byte) error) ([]byte, error) {
	if c.o.Offline {
		return nil, fmt.Errorf("revision %s: %w, and not in the cache", ref, ErrOffline)
	}
	if c.isDown() {
		return nil, fmt.Errorf("revision %s: %w: it did not answer a moment ago", ref, ErrUnavailable)
	}

	if c.ending.Err() != nil {
		return nil, fmt.Errorf("revision %s: %w", ref, ErrEnding)
	}
	if !c.budget.AllowN(c.now(), 1) {
		return nil, fmt.Errorf("revision %s: %w", ref, ErrBudget)
	}

	// The end of the program ends the request, as that of the caller does.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ending, cancel)()

	text, err := c.request(ctx, c.server.JoinPath(ref.Repo, command, ref.Revision, file).String(), check)
	switch {
	case err == nil:
		return text, nil
	case c.ending.Err() != nil:
		return nil, fmt.Errorf("revision %s: %w", ref, ErrEnding)
	case ctx.Err() != nil:
		return nil, err
	case errors.Is(err, errDown):
		c.setDown()
	}

	return nil, fmt.Errorf("revision %s: %w", ref, err)
}

// isDown says whether the server did not answer a moment ago.
func (c *Cache) isDown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Before(c.down)
}

// setDown makes isDown true for UnavailableTTL.
func (c *Cache) setDown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = c.now().Add(c.o.UnavailableTTL)
}

// isWholeObject says whether text looks like a JSON object that was not cut
// short, and not like a proxy's page.
func isWholeObject(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) > 1 && text[0] == '{' && text[len(text)-1] == '}'
}

// request returns the body of u if check returns nil for it. It repeats a request
// that may succeed the next time. Errors wrap ErrNotFound or ErrUnavailable, or
// are the context's.
func (c *Cache) request(ctx context.Context, u string, check func([]byte) error) ([]byte, error) {
	// The pauses double, and there is no limit on the time of all tries.
	pauses := &backoff.ExponentialBackOff{InitialInterval: c.o.RetryDelay, Multiplier: 2, MaxInterval: maxRetryDelay}
	tries := backoff.WithMaxTries(uint(c.o.Retries) + 1)

	text, err := backoff.Retry(ctx, func() ([]byte, error) {
		text, err := c.get(ctx, u)
		if err == nil {
			err = check(text)
		}
		if errors.Is(err, ErrNotFound) {
			return nil, backoff.Permanent(err)
		}

		return text, err
	}, backoff.WithBackOff(pauses), tries, backoff.WithMaxElapsedTime(0))

	switch {
	case err == nil:
		return text, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, ErrNotFound):
		return nil, err
	}

	return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// get returns the body of u, at most maxDefinitionsBytes long. A 404 or 410 is
// ErrNotFound.
func (c *Cache) get(ctx context.Context, u string) ([]byte, error) {
	if c.o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.o.Timeout)
		defer cancel()
	}

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}

	res, err := c.o.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDown, err)
	}

	defer res.Body.Close()

	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return nil, fmt.Errorf("%w: %s: %s", ErrNotFound, u, res.Status)
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		// A proxy says these when the server behind it does not answer.
		return nil, fmt.Errorf("%w: %s: %s", errDown, u, res.Status)
	default:
		return nil, fmt.Errorf("%s: %s", u, res.Status)
	}

	// One byte more than allowed shows that there is too much.
	text, err := io.ReadAll(io.LimitReader(res.Body, maxDefinitionsBytes+1))
	if err == nil && len(text) > maxDefinitionsBytes {
		err = fmt.Errorf("%s: longer than %d bytes", u, maxDefinitionsBytes)
	}

	return text, err
}
