package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/revisions"
)

// revisionsLsCmd lists index and cache.
type revisionsLsCmd struct {
	Repo     string `placeholder:"REPO" help:"Only this repository."`
	Versions bool   `help:"List the versions instead, and when they were current."`
}

func (*revisionsLsCmd) Help() string {
	return `Prints lines of tab-separated fields, without a header:

  repository, revision, in effect from, until, "cached" or "-"
  repository, version, from, until              (with --versions)

"-" stands for a time that is not known, or that has not come yet. Times are UTC.

EXIT STATUS: 0 done; 1 failed, or the index is damaged; 2 usage.`
}

func (c *revisionsLsCmd) Run(_ context.Context, st *cli.State, parent *revisionsCmd) error {
	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()

	history, err := cache.History()
	if err != nil {
		return err
	}

	// Index and cache are joined by repository.
	var lines map[string][]string
	if c.Versions {
		lines = versionLines(history)
	} else {
		lines, err = revisionLines(history, cache)
	}
	if err != nil {
		return err
	}

	// Print in the order of the repositories' names.
	out := bufio.NewWriter(st.Stdout)
	for _, repo := range slices.Sorted(maps.Keys(lines)) {
		if c.Repo != "" && c.Repo != repo {
			continue
		}
		for _, line := range lines[repo] {
			out.WriteString(line)
		}
	}
	return out.Flush()
}

// versionLines returns the lines of --versions by repository.
func versionLines(history *revisions.History) map[string][]string {
	lines := map[string][]string{}
	for repo, changes := range history.Repos() {
		for _, version := range changes.Versions {
			lines[repo] = append(lines[repo], fmt.Sprintf("%s\t%s\t%s\t%s\n", repo, version.Version, version.From.Format(time.RFC3339), untilText(version.Until)))
		}
	}
	return lines
}

// revisionLines returns the lines of revisions by repository: those of the index,
// then those that only the cache has.
func revisionLines(history *revisions.History, cache *revisions.Cache) (map[string][]string, error) {
	cached, err := cache.Cached()
	if err != nil {
		return nil, err
	}

	lines := map[string][]string{}
	inIndex := map[revisions.Ref]bool{}
	for repo, changes := range history.Repos() {
		for _, change := range changes.Definitions {
			// A ping names a revision with 12 or with 40 digits, and the cache has it as
			// named.
			mark := "-"
			for _, digits := range []int{12, 40} {
				ref := revisions.Ref{Repo: repo, Revision: change.Revision[:digits]}
				if cache.Has(ref) {
					mark = "cached"
					inIndex[ref] = true
				}
			}
			lines[repo] = append(lines[repo], fmt.Sprintf("%s\t%s\t%s\t%s\t%s\n",
				repo, change.Revision[:12], change.From.Format(time.RFC3339), untilText(change.Until), mark))
		}
	}

	// Revisions that only pings name are not in the index.
	for _, ref := range cached {
		if !inIndex[ref] {
			lines[ref.Repo] = append(lines[ref.Repo], fmt.Sprintf("%s\t%s\t-\t-\tcached\n", ref.Repo, ref.Revision))
		}
	}
	return lines, nil
}

func untilText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}
