package revisions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxRequests is how many requests are sent at the same time.
const maxRequests = 4

// Synced says what Sync has found in a repository.
type Synced struct {
	Repo                  string
	Definitions, Versions int // changes known now
	New                   int // of Definitions
	// Rewritten says that the server no longer has the changes that were known, so
	// that all were read again.
	Rewritten bool
}

// Sync brings the local index up to date with a repository. It requests the
// changes of Histograms.json and of the version that are newer than the known ones.
//
// A change is in effect from its push on, if the server has the time of pushes, as
// hg.mozilla.org does. Otherwise it is in effect from its commit's date on, but
// never before the change that it follows: a commit may have been written long
// before it came into the repository. Errors wrap ErrNotFound or ErrUnavailable,
// or are the context's or the disk's; the index is then as it was.
func (c *Cache) Sync(ctx context.Context, repo string) (Synced, error) {
	s := Synced{Repo: repo}
	if _, err := NewRef(repo, "0123456789ab"); err != nil {
		return s, fmt.Errorf("%w: repository %.60q", ErrInvalidURL, repo)
	}

	// A damaged index is no obstacle: it is made anew.
	h, err := c.History()
	if errors.Is(err, ErrBadHistory) {
		h, err = &History{}, nil // read all of it again
	}
	if err != nil {
		return s, err
	}

	old := h.Repo(repo)

	// Definitions must be there, versions need not: builds are found by their time then.
	var synced RepoHistory
	synced.Definitions, s.Rewritten, err = c.follow(ctx, repo, definitionsPath, old.Definitions)
	if err == nil {
		synced.Versions, _, err = c.follow(ctx, repo, versionPath, old.Versions)
		if errors.Is(err, ErrNotFound) { // builds are found by their time then
			c.o.Log.Warn("the repository has no versions", "repo", repo)
			synced.Versions, err = old.Versions, nil
		}
	}
	if err != nil {
		return s, fmt.Errorf("sync %s: %w", repo, err)
	}

	// Only when all of it is known is the index replaced.
	s.Definitions, s.Versions, s.New = len(synced.Definitions), len(synced.Versions), len(synced.Definitions)
	if !s.Rewritten {
		s.New -= len(old.Definitions)
	}

	return s, c.saveHistory(h.with(repo, synced))
}

// follow returns the known changes of a file, followed by the newer ones.
func (c *Cache) follow(ctx context.Context, repo, file string, known []Period) (all []Period, rewritten bool, err error) {
	// Only what is newer than the last known change is requested.
	last := ""
	if len(known) > 0 {
		last = known[len(known)-1].Revision
	}

	changes, reached, err := c.changes(ctx, repo, file, last)
	if err != nil {
		return nil, false, err
	}
	// A server that lacks that change has another history now.
	if last != "" && !reached {
		c.o.Log.Warn("the server no longer has the changes that were known", "repo", repo, "file", file)
		known, rewritten = nil, true
	}

	// The server has the newest change first, a history the oldest.
	slices.Reverse(changes)
	versions := make([]string, len(changes))
	if file == versionPath {
		err = inParallel(ctx, len(changes), func(ctx context.Context, i int) (err error) {
			versions[i], err = c.version(ctx, repo, changes[i].Node)
			return err
		})
		if err != nil {
			return nil, false, err
		}
	}

	// A change that deleted the file of versions begins no period.
	all = slices.Clone(known)
	for i, ch := range changes {
		if file == versionPath && versions[i] == "" {
			continue
		}

		all = appendPeriod(all, Period{Revision: ch.Node, Version: versions[i], From: ch.time()}, c.now())
	}

	return all, rewritten, nil
}

// appendPeriod adds p, which ends the last one of all. A beginning after now comes
// from a wrong clock; p begins with the one before it then.
func appendPeriod(all []Period, p Period, now time.Time) []Period {
	if len(all) > 0 {
		before := &all[len(all)-1]
		if p.From.Before(before.From) || p.From.After(now) {
			p.From = before.From
		}
		before.Until = p.From
	}
	return append(all, p)
}

// Fetch fetches the definitions of a repository that were in effect at some time
// from since on, and are not in the cache. It returns how many it fetched, and
// how many the server does not have or cannot be parsed. Errors wrap
// ErrUnavailable or are the context's or the disk's.
func (c *Cache) Fetch(ctx context.Context, repo string, since time.Time) (fetched, missing int, err error) {
	h, err := c.History()
	if err != nil {
		return 0, 0, err
	}

	// What ended before since, or is in the cache, is not needed.
	var refs []Ref
	for _, p := range h.Repo(repo).Definitions {
		ref := Ref{repo, p.Revision[:minDigits]}
		if (p.Until.IsZero() || p.Until.After(since)) && !c.Has(ref) {
			refs = append(refs, ref)
		}
	}

	var found, lacking atomic.Int64
	// A revision that cannot be used is counted; an outage ends it.
	err = inParallel(ctx, len(refs), func(ctx context.Context, i int) error {
		_, err := c.Spec(ctx, refs[i])
		switch {
		case err == nil:
			found.Add(1)
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrBadDefinitions):
			lacking.Add(1)
			err = nil
		}

		return err
	})

	return int(found.Load()), int(lacking.Load()), err
}

// inParallel calls do for 0 to n-1, maxRequests at a time. The first error ends it.
func inParallel(ctx context.Context, n int, do func(context.Context, int) error) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(maxRequests)
	for i := range n {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error { return do(groupCtx, i) })
	}

	// If the caller's context ended before the first call, no call says so.
	if err := group.Wait(); err != nil {
		return err
	}

	return context.Cause(ctx)
}
