package revisions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxDefinitions bounds a Histograms.json; the largest real ones have 600 kB.
const maxDefinitions = 16 << 20

// fetch asks the server for ref's file, repeating what may succeed the next
// time. Errors wrap ErrNotFound or ErrUnavailable, or are the context's.
func (c *Cache) fetch(ctx context.Context, ref Ref) ([]byte, error) {
	if c.o.Offline {
		return nil, fmt.Errorf("revision %s: %w, and not in the cache", ref, ErrOffline)
	}
	if c.isDown() {
		return nil, fmt.Errorf("revision %s: %w: it did not answer a moment ago", ref, ErrUnavailable)
	}
	text, err := c.ask(ctx, c.server.JoinPath(ref.Repo, "raw-file", ref.Revision, definitionsPath).String(), func(text []byte) error {
		if !complete(text) {
			return errors.New("the answer is not a whole JSON object")
		}
		return nil
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		if errors.Is(err, errDown) {
			c.setDown()
		}
		return nil, fmt.Errorf("revision %s: %w", ref, err)
	}
	c.o.Log.Info("definitions fetched", "revision", ref)
	return text, nil
}

// errDown marks an error that is about the server, not about what it was asked
// for: then nobody waits for it in vain, for each of a hundred revisions, but all
// try again after UnavailableTTL.
var errDown = errors.New("no answer")

func (c *Cache) isDown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Before(c.down)
}

func (c *Cache) setDown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = c.now().Add(c.o.UnavailableTTL)
}

// ask returns the body of u if check likes it. It repeats what may succeed the
// next time. Errors wrap ErrNotFound or ErrUnavailable, or are the context's.
func (c *Cache) ask(ctx context.Context, u string, check func([]byte) error) ([]byte, error) {
	delay := c.o.RetryDelay
	for try := 0; ; try++ {
		text, err := c.get(ctx, u)
		if err == nil {
			err = check(text)
		}
		switch {
		case err == nil:
			return text, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, ErrNotFound):
			return nil, err
		case try >= c.o.Retries:
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		select {
		case <-time.After(delay):
			delay *= 2
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// complete says whether text looks like a JSON object that was not cut short,
// and not like a proxy's page.
func complete(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) > 1 && text[0] == '{' && text[len(text)-1] == '}'
}

// get returns the body of u, at most maxDefinitions long. A 404 or 410 is
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
		return nil, fmt.Errorf("%w: %s: %s", errDown, u, res.Status)
	default:
		return nil, fmt.Errorf("%s: %s", u, res.Status)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxDefinitions+1))
	if err == nil && len(text) > maxDefinitions {
		err = fmt.Errorf("%s: longer than %d bytes", u, maxDefinitions)
	}
	return text, err
}
