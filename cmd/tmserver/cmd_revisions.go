package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/revisions"
)

// revisionsCmd looks after a revision cache.
type revisionsCmd struct {
	DataDir         string `short:"d" placeholder:"DIR" help:"Data folder; its histogram_cache is the cache, unless --revision-cache names another."`
	definitionFlags `embed:""`

	Sync   revisionsSyncCmd   `cmd:"" help:"Ask the server when definitions changed, and keep that as an index."`
	Ls     revisionsLsCmd     `cmd:"" help:"List the revisions that the index or the cache has."`
	Diff   revisionsDiffCmd   `cmd:"" help:"Show how a histogram's definition differs between two revisions."`
	Export revisionsExportCmd `cmd:"" help:"Write cache and index as one file."`
	Import revisionsImportCmd `cmd:"" help:"Add what export wrote to the cache."`
}

// cache opens the cache; the caller closes it.
func (c *revisionsCmd) cache(st *cli.State) (*revisions.Cache, error) {
	if c.DataDir == "" && c.RevisionCache == "" {
		return nil, cli.Usage("one of --data-dir and --revision-cache is needed")
	}
	return c.open(st, c.DataDir)
}

type revisionsSyncCmd struct {
	Repo  []string `placeholder:"REPO" help:"Repositories, such as releases/mozilla-beta. Default: those of the channels nightly, aurora, beta and release."`
	Fetch bool     `help:"Also fetch the definitions that are not in the cache."`
	Since string   `placeholder:"YYYYMMDD" help:"With --fetch: only those in effect on that day or later."`
}

func (*revisionsSyncCmd) Help() string {
	return `Asks the Mercurial server (hgweb) for the changes of Histograms.json and of the
version since the last time. From the index, history.tsv in the cache, commands
that convert tell which definitions a ping without info.revision was made with.
Run it daily; a server that runs notices the new index by itself.

A change is taken to be in effect from its push on, where the server tells, as
hg.mozilla.org does; else from its commit's date on, but not before the one that
it follows.

EXIT STATUS: 0 done; 1 a repository could not be asked, the others are done;
2 usage; 130 interrupted.`
}

func (c *revisionsSyncCmd) Run(ctx context.Context, st *cli.State, parent *revisionsCmd) error {
	if parent.Offline {
		return cli.Usage("sync asks a server, --offline forbids it")
	}
	var since time.Time
	if c.Since != "" {
		var err error
		if since, err = time.Parse("20060102", c.Since); err != nil {
			return cli.Usage("--since %q: want YYYYMMDD", c.Since)
		}
	}
	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()
	repos := c.Repo
	if len(repos) == 0 {
		repos = revisions.ChannelRepos()
	}
	var failed []error
	for _, repo := range repos {
		err := c.one(ctx, st, cache, repo, since)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (c *revisionsSyncCmd) one(ctx context.Context, st *cli.State, cache *revisions.Cache, repo string, since time.Time) error {
	s, err := cache.Sync(ctx, repo)
	if err != nil {
		return err
	}
	fmt.Fprintf(st.Stdout, "%s: %d revisions, %d new, %d versions", repo, s.Definitions, s.New, s.Versions)
	if s.Rewritten {
		fmt.Fprint(st.Stdout, ", all read again")
	}
	if c.Fetch {
		var fetched, missing int
		fetched, missing, err = cache.Fetch(ctx, repo, since)
		fmt.Fprintf(st.Stdout, ", %d fetched, %d cannot be had", fetched, missing)
	}
	fmt.Fprintln(st.Stdout)
	return err
}

type revisionsLsCmd struct {
	Repo     string `placeholder:"REPO" help:"Only this repository."`
	Versions bool   `help:"List the versions instead, and when they were current."`
}

func (*revisionsLsCmd) Help() string {
	return `Prints lines of tab-separated fields, without a header:
repository, revision, in effect from, until, "cached" or "-"; with --versions,
repository, version, from, until. "-" stands for a time that is not known, or that
has not come yet. Times are UTC.`
}

func (c *revisionsLsCmd) Run(_ context.Context, st *cli.State, parent *revisionsCmd) error {
	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()
	h, err := cache.History()
	if err != nil {
		return err
	}
	cached, err := cache.Cached()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(st.Stdout)
	until := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format(time.RFC3339)
	}
	lines := map[string][]string{} // by repository
	known := map[revisions.Ref]bool{}
	for repo, r := range h.Repos() {
		for _, p := range r.Definitions {
			mark := "-"
			for _, digits := range []int{12, 40} {
				if ref := (revisions.Ref{Repo: repo, Revision: p.Revision[:digits]}); cache.Has(ref) {
					mark, known[ref] = "cached", true
				}
			}
			lines[repo] = append(lines[repo], fmt.Sprintf("%s\t%s\t%s\t%s\t%s\n", repo, p.Revision[:12], p.From.Format(time.RFC3339), until(p.Until), mark))
		}
		if !c.Versions {
			continue
		}
		lines[repo] = nil
		for _, p := range r.Versions {
			lines[repo] = append(lines[repo], fmt.Sprintf("%s\t%s\t%s\t%s\n", repo, p.Version, p.From.Format(time.RFC3339), until(p.Until)))
		}
	}
	for _, ref := range cached {
		if !known[ref] && !c.Versions {
			lines[ref.Repo] = append(lines[ref.Repo], fmt.Sprintf("%s\t%s\t-\t-\tcached\n", ref.Repo, ref.Revision))
		}
	}
	for _, repo := range slices.Sorted(maps.Keys(lines)) {
		if c.Repo == "" || c.Repo == repo {
			for _, line := range lines[repo] {
				out.WriteString(line)
			}
		}
	}
	return out.Flush()
}

type revisionsExportCmd struct {
	File string `arg:"" optional:"" default:"-" help:"Where to; - for stdout."`
}

func (*revisionsExportCmd) Help() string {
	return `Writes a gzipped tar, the same for the same cache. To have all definitions in it,
run "sync --fetch" before. It is for machines without network: there, "import" it
and run with --offline.`
}

func (c *revisionsExportCmd) Run(_ context.Context, st *cli.State, parent *revisionsCmd) (err error) {
	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()
	out := st.Stdout
	if c.File != "-" {
		f, err := os.Create(c.File + ".tmp")
		if err != nil {
			return err
		}
		out = f
		defer func() {
			err = errors.Join(err, f.Sync(), f.Close())
			if err != nil {
				os.Remove(f.Name())
				return
			}
			err = os.Rename(f.Name(), c.File)
		}()
	}
	n, err := cache.Export(out)
	if err == nil {
		fmt.Fprintf(st.Stderr, "exported the index and the definitions of %d revisions\n", n)
	}
	return err
}

type revisionsImportCmd struct {
	File string `arg:"" optional:"" default:"-" help:"Where from; - for stdin."`
}

func (*revisionsImportCmd) Help() string {
	return `Adds the definitions to the cache. Of a repository that both indexes know, the
longer history stays.

EXIT STATUS: 0 done; 1 failed; 2 usage; 4 the file is damaged, or was not made by
export (what came before the damage is imported).`
}

func (c *revisionsImportCmd) Run(_ context.Context, st *cli.State, parent *revisionsCmd) error {
	// NewCache makes the folder only for those who may ask the server.
	parent.Offline = false
	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()
	var in io.Reader = st.Stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	n, err := cache.Import(bufio.NewReader(in))
	if errors.Is(err, revisions.ErrBadArchive) {
		return cli.Fail(cli.ExitCorrupt, err)
	}
	if err == nil {
		fmt.Fprintf(st.Stderr, "imported the definitions of %d revisions\n", n)
	}
	return err
}
