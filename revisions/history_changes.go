package revisions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// versionPath is the file that has the product's version in its last line.
	versionPath = "config/milestone.txt"
	// defaultBranch is the branch that builds are made from.
	defaultBranch = "default"
	// pageSize is how many changes are requested at once.
	pageSize = 500
	// maxChanges bounds what a server can make us hold of one file; real ones have
	// some thousand.
	maxChanges = 100_000
	// maxSeconds bounds the dates that make sense.
	maxSeconds = 1 << 36
)

// change is one entry of hgweb's json-filelog: a change of one file.
type change struct {
	Node   string     `json:"node"`
	Date   [2]float64 `json:"date"` // of the commit: seconds since 1970, and the zone's offset
	Branch string     `json:"branch"`
	// PushDate is the same for the push that brought the change into the repository.
	// Only hg.mozilla.org has it. It may be anything else for a change without one.
	PushDate json.RawMessage `json:"pushdate"`
}

// time returns since when the change has been in the repository, as far as the
// server says.
func (ch change) time() time.Time {
	date := ch.Date
	var pushed [2]float64
	if json.Unmarshal(ch.PushDate, &pushed) == nil && pushed[0] > 0 && pushed[0] < maxSeconds {
		date = pushed
	}
	return time.Unix(int64(date[0]), 0).UTC()
}

// isPlausible says whether ch can be a change in a repository.
func (ch change) isPlausible(repo string) bool {
	_, err := NewRef(repo, ch.Node)
	return err == nil && len(ch.Node) == maxDigits && ch.Date[0] >= 0 && ch.Date[0] <= maxSeconds
}

// changes returns the changes of a file on the default branch that are newer
// than the change last, newest first. If the server does not have that one, it
// returns all changes, and reached is false.
func (c *Cache) changes(ctx context.Context, repo, file, last string) (list []change, reached bool, err error) {
	if c.o.Offline {
		return nil, false, ErrOffline
	}

	seen := map[string]bool{}
	// Page by page, from the newest change back to the last known one.
	for from := defaultBranch; len(seen) < maxChanges; {
		page, err := c.changePage(ctx, repo, file, from)
		if err != nil {
			return nil, false, err
		}

		before := len(seen)
		for _, ch := range page {
			if ch.Node == last {
				return list, true, nil
			}
			// Builds are made from the default branch only.
			if !seen[ch.Node] && (ch.Branch == defaultBranch || ch.Branch == "") {
				list = append(list, ch)
			}
			seen[ch.Node] = true
		}

		// A page begins with the change that it was requested by, so the last page
		// has nothing new.
		if len(seen) == before {
			return list, false, nil
		}

		from = page[len(page)-1].Node
	}

	return nil, false, fmt.Errorf("%s has more than %d changes", file, maxChanges)
}

// changePage returns the change from of a file and those before it, as many as
// the server sends at once.
func (c *Cache) changePage(ctx context.Context, repo, file, from string) ([]change, error) {
	u := c.server.JoinPath(repo, "json-filelog", from, file)
	u.RawQuery = url.Values{"revcount": {strconv.Itoa(c.page)}}.Encode()

	var answer struct {
		Entries []change `json:"entries"`
	}

	_, err := c.request(ctx, u.String(), func(text []byte) error {
		answer.Entries = nil
		if err := json.Unmarshal(text, &answer); err != nil {
			return fmt.Errorf("%s: %w", u, err)
		}
		for _, ch := range answer.Entries {
			if !ch.isPlausible(repo) {
				return fmt.Errorf("%s: bad entry %.60q of %v", u, ch.Node, ch.Date)
			}
		}
		return nil
	})

	return answer.Entries, err
}

// version returns the product's version at a revision; "" if there is none.
func (c *Cache) version(ctx context.Context, repo, node string) (version string, err error) {
	u := c.server.JoinPath(repo, "raw-file", node, versionPath)
	text, err := c.request(ctx, u.String(), func([]byte) error { return nil })
	if errors.Is(err, ErrNotFound) {
		return "", nil // that change deleted the file
	}

	// Comments come before the version, which is the last line of its form.
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if isVersion(line) {
			version = line
		}
	}

	return version, err
}

// isVersion says whether s looks like "29.0a2".
func isVersion(s string) bool {
	return s != "" && len(s) <= 20 && s[0]-'0' <= 9 && strings.Trim(s, "0123456789.abcdefghijklmnopqrstuvwxyz") == ""
}
