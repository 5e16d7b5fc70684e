package revisions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// versionPath is the file that has the product's version in its last line.
const versionPath = "config/milestone.txt"

const (
	// pageSize is how many changes are asked for at once.
	pageSize = 500
	// maxChanges bounds what a server can make us remember of one file; real
	// ones have some thousand.
	maxChanges = 100_000
	// parallel is how many requests are sent at the same time.
	parallel = 4
)

// Synced is what Sync found out about a repository.
type Synced struct {
	Repo                  string
	Definitions, Versions int // changes known now
	New                   int // of Definitions
	// Rewritten says that the server no longer has the changes that were known, so
	// that all were read again.
	Rewritten bool
}

// Sync brings the local index up to date with a repository. It asks for the
// changes of Histograms.json and of the version that are newer than those known.
//
// A change is in effect from its push on, if the server tells of pushes, as
// hg.mozilla.org does. Else it is from its commit's date on, but never before the
// one that it follows: a commit may have been written long before it came into
// the repository. Errors wrap ErrNotFound or ErrUnavailable, or are
// the context's or the disk's; the index is then as it was.
func (c *Cache) Sync(ctx context.Context, repo string) (Synced, error) {
	s := Synced{Repo: repo}
	if _, err := NewRef(repo, "0123456789ab"); err != nil {
		return s, fmt.Errorf("%w: repository %.60q", ErrInvalidURL, repo)
	}
	h, err := c.History()
	if errors.Is(err, ErrBadHistory) {
		h, err = &History{}, nil // read all of it again
	}
	if err != nil {
		return s, err
	}
	old := h.Repo(repo)
	var now RepoHistory
	now.Definitions, s.Rewritten, err = c.follow(ctx, repo, definitionsPath, old.Definitions)
	if err == nil {
		now.Versions, _, err = c.follow(ctx, repo, versionPath, old.Versions)
		if errors.Is(err, ErrNotFound) { // not fatal: builds are found by their time then
			c.o.Log.Warn("the repository has no versions", "repo", repo)
			now.Versions, err = old.Versions, nil
		}
	}
	if err != nil {
		return s, fmt.Errorf("sync %s: %w", repo, err)
	}
	s.Definitions, s.Versions, s.New = len(now.Definitions), len(now.Versions), len(now.Definitions)
	if !s.Rewritten {
		s.New -= len(old.Definitions)
	}
	return s, c.saveHistory(h.with(repo, now))
}

// follow returns what is known of a file's changes, and the newer ones.
func (c *Cache) follow(ctx context.Context, repo, file string, known []Period) (all []Period, rewritten bool, err error) {
	last := ""
	if len(known) > 0 {
		last = known[len(known)-1].Revision
	}
	changes, reached, err := c.changes(ctx, repo, file, last)
	if err != nil {
		return nil, false, err
	}
	if last != "" && !reached {
		c.o.Log.Warn("the server no longer has the changes that were known", "repo", repo, "file", file)
		known, rewritten = nil, true
	}
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
	all = slices.Clone(known)
	for i, ch := range changes {
		if file == versionPath && versions[i] == "" {
			continue
		}
		all = appendPeriod(all, Period{Revision: ch.Node, Version: versions[i], From: ch.time()}, c.now())
	}
	return all, rewritten, nil
}

// appendPeriod adds what followed all. A clock that was ahead of now says nothing.
func appendPeriod(all []Period, p Period, now time.Time) []Period {
	if n := len(all); n > 0 {
		before := &all[n-1]
		if p.From.Before(before.From) || p.From.After(now) {
			p.From = before.From
		}
		before.Until = p.From
	}
	return append(all, p)
}

// change is one entry of a json-filelog.
type change struct {
	Node   string     `json:"node"`
	Date   [2]float64 `json:"date"` // of the commit: seconds since 1970, and the zone's offset
	Branch string     `json:"branch"`
	// PushDate is the same for the push that brought the change into the repository.
	// Only hg.mozilla.org tells; it may be anything else for a change without one.
	PushDate json.RawMessage `json:"pushdate"`
}

// time returns since when the change has been in the repository, as far as the
// server tells.
func (ch change) time() time.Time {
	date := ch.Date
	var pushed [2]float64
	if json.Unmarshal(ch.PushDate, &pushed) == nil && pushed[0] > 0 && pushed[0] < maxSeconds {
		date = pushed
	}
	return time.Unix(int64(date[0]), 0).UTC()
}

// maxSeconds bounds the dates that make sense.
const maxSeconds = 1 << 36

// defaultBranch is the branch that builds are made from.
const defaultBranch = "default"

// changes returns the changes of a file on the default branch that are newer
// than the change last, newest first; all, and not reached, if the server does
// not have that one.
func (c *Cache) changes(ctx context.Context, repo, file, last string) (list []change, reached bool, err error) {
	if c.o.Offline {
		return nil, false, ErrOffline
	}
	seen := map[string]bool{}
	for from := defaultBranch; len(seen) < maxChanges; {
		page, err := c.askPage(ctx, repo, file, from)
		if err != nil {
			return nil, false, err
		}
		before := len(seen)
		for _, ch := range page {
			if ch.Node == last {
				return list, true, nil
			}
			if !seen[ch.Node] && (ch.Branch == defaultBranch || ch.Branch == "") {
				list = append(list, ch)
			}
			seen[ch.Node] = true
		}
		if len(seen) == before { // a page begins with the change that it was asked for
			return list, false, nil
		}
		from = page[len(page)-1].Node
	}
	return nil, false, fmt.Errorf("%s has more than %d changes", file, maxChanges)
}

// askPage returns the change from of a file and those before it, as many as the
// server gives at once.
func (c *Cache) askPage(ctx context.Context, repo, file, from string) ([]change, error) {
	u := c.server.JoinPath(repo, "json-filelog", from, file)
	u.RawQuery = url.Values{"revcount": {strconv.Itoa(c.page)}}.Encode()
	var answer struct {
		Entries []change `json:"entries"`
	}
	_, err := c.ask(ctx, u.String(), func(text []byte) error {
		answer.Entries = nil
		if err := json.Unmarshal(text, &answer); err != nil {
			return fmt.Errorf("%s: %w", u, err)
		}
		for _, ch := range answer.Entries {
			if _, err := NewRef(repo, ch.Node); err != nil || len(ch.Node) != 40 || ch.Date[0] < 0 || ch.Date[0] > maxSeconds {
				return fmt.Errorf("%s: bad entry %.60q of %v", u, ch.Node, ch.Date)
			}
		}
		return nil
	})
	return answer.Entries, err
}

// version returns the product's version at a revision; "" if there is none.
func (c *Cache) version(ctx context.Context, repo, node string) (version string, err error) {
	text, err := c.ask(ctx, c.server.JoinPath(repo, "raw-file", node, versionPath).String(), func([]byte) error { return nil })
	if errors.Is(err, ErrNotFound) {
		return "", nil // deleted by that change
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); isVersion(line) {
			version = line
		}
	}
	return version, err
}

// isVersion says whether s looks like "29.0a2".
func isVersion(s string) bool {
	return s != "" && len(s) <= 20 && s[0]-'0' <= 9 && strings.Trim(s, "0123456789.abcdefghijklmnopqrstuvwxyz") == ""
}

// Fetch fetches the definitions of a repository that were in effect at some time
// from since on, and are not in the cache. It returns how many it fetched, and
// how many the server does not have or nobody can read. Errors wrap
// ErrUnavailable or are the context's or the disk's.
func (c *Cache) Fetch(ctx context.Context, repo string, since time.Time) (fetched, missing int, err error) {
	h, err := c.History()
	if err != nil {
		return 0, 0, err
	}
	var want []Ref
	for _, p := range h.Repo(repo).Definitions {
		ref := Ref{repo, p.Revision[:shortDigits]}
		if (p.Until.IsZero() || p.Until.After(since)) && !c.Has(ref) {
			want = append(want, ref)
		}
	}
	var mu sync.Mutex // protects the counts
	err = inParallel(ctx, len(want), func(ctx context.Context, i int) error {
		_, err := c.Spec(ctx, want[i])
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			fetched++
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrBadDefinitions):
			missing++
			err = nil
		}
		return err
	})
	return fetched, missing, err
}

// Has says whether the definitions of ref are on disk.
func (c *Cache) Has(ref Ref) bool {
	if c.root == nil {
		return false
	}
	info, err := c.root.Stat(ref.file())
	return err == nil && info.Mode()&fs.ModeType == 0
}

// inParallel calls do for 0 to n-1, a few at a time. The first error ends it.
func inParallel(ctx context.Context, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(parallel, n) {
		wg.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	func() {
		defer close(next)
		for i := range n {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	wg.Wait()
	return context.Cause(ctx)
}
