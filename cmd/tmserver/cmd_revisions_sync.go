package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// revisionsSyncCmd brings the index up to date.
type revisionsSyncCmd struct {
	Repo  []string `placeholder:"REPO" help:"Repositories, such as releases/mozilla-beta. Default: those of the channels nightly, aurora, beta and release."`
	Fetch bool     `help:"Also fetch the definitions that are not in the cache."`
	Since string   `placeholder:"YYYYMMDD" help:"With --fetch: only those in effect on that day or later."`
}

func (*revisionsSyncCmd) Help() string {
	return `Asks the Mercurial server (hgweb) for the changes of Histograms.json and of the
version since the last time, and stores them as the index, history.tsv in the cache.
With the index, conversion finds the definitions of a ping that has no
info.revision. Run it daily; a server that runs reads the new index by itself.

A change is in effect from its push, if the server says when that was, as
hg.mozilla.org does; else from the date of its commit, but not before the change
that it follows.

EXIT STATUS: 0 done; 1 a repository could not be synced, the others are done;
2 usage; 130 interrupted.`
}

func (c *revisionsSyncCmd) Run(ctx context.Context, st *cli.State, parent *revisionsCmd) error {
	if parent.Offline {
		return cli.Usage("sync asks a server, --offline forbids it")
	}
	since, err := c.since()
	if err != nil {
		return err
	}

	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()

	// A repository that fails does not keep the others from being synced.
	repos := c.Repo
	if len(repos) == 0 {
		repos = revisions.ChannelRepos()
	}
	var failed []error
	for _, repo := range repos {
		err := c.sync(ctx, st, cache, repo, since)
		if ctx.Err() != nil {
			return ctx.Err()
		}

		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// since returns the first moment of --since; the zero time without it.
func (c *revisionsSyncCmd) since() (time.Time, error) {
	if c.Since == "" {
		return time.Time{}, nil
	}
	date, err := schema.ParseDate(c.Since)
	if err != nil {
		return time.Time{}, cli.Usage("--since %q: want YYYYMMDD", c.Since)
	}
	return date.Time()
}

// sync syncs one repository and prints a line about it.
func (c *revisionsSyncCmd) sync(ctx context.Context, st *cli.State, cache *revisions.Cache, repo string, since time.Time) error {
	synced, err := cache.Sync(ctx, repo)
	if err != nil {
		return err
	}

	fmt.Fprintf(st.Stdout, "%s: %d revisions, %d new, %d versions", repo, synced.Definitions, synced.New, synced.Versions)
	if synced.Rewritten {
		fmt.Fprint(st.Stdout, ", all read again")
	}

	if c.Fetch {
		var fetched, missing int
		fetched, missing, err = cache.Fetch(ctx, repo, since)
		fmt.Fprintf(st.Stdout, ", %d fetched, %d not available", fetched, missing)
	}
	fmt.Fprintln(st.Stdout)
	return err
}
