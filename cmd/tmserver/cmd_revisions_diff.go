package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/revisions"
)

type revisionsDiffCmd struct {
	Name string `arg:"" help:"Histogram, such as GC_MS."`
	A    string `arg:"" help:"Revision."`
	B    string `arg:"" help:"Revision."`
}

func (*revisionsDiffCmd) Help() string {
	return `A revision is a URL, as in info.revision; or its end, REPO/rev/DIGITS; or
CHANNEL@BUILDID or CHANNEL@VERSION, which are looked up in the index
(nightly@20140203030204, beta@28.0).

Prints the attributes of the definition and the lower bounds of its buckets: with
"-" as they are in A, with "+" as they are in B, with " " if both have the same;
nothing if nothing differs.

EXIT STATUS: 0 done, whether they differ or not; 1 failed, or neither revision
defines the histogram; 2 usage; 130 interrupted.`
}

func (c *revisionsDiffCmd) Run(ctx context.Context, st *cli.State, parent *revisionsCmd) error {
	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()
	var refs [2]revisions.Ref
	var attrs [2]map[string]string
	for i, name := range [...]string{c.A, c.B} {
		if refs[i], err = findRef(cache, name); err != nil {
			return err
		}
		if attrs[i], err = definition(ctx, cache, refs[i], c.Name); err != nil {
			return err
		}
	}
	if attrs[0] == nil && attrs[1] == nil {
		return fmt.Errorf("neither %v nor %v defines %s", refs[0], refs[1], c.Name)
	}
	if maps.Equal(attrs[0], attrs[1]) {
		return nil
	}
	out := bufio.NewWriter(st.Stdout)
	fmt.Fprintf(out, "--- %v\n+++ %v\n", refs[0], refs[1])
	all := maps.Clone(attrs[0])
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, attrs[1])
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a, inA := attrs[0][name]
		b, inB := attrs[1][name]
		if inA && inB && a == b {
			fmt.Fprintf(out, " %s: %s\n", name, a)
			continue
		}
		if inA {
			fmt.Fprintf(out, "-%s: %s\n", name, a)
		}
		if inB {
			fmt.Fprintf(out, "+%s: %s\n", name, b)
		}
	}
	return out.Flush()
}

// findRef returns the revision that a person means.
func findRef(cache *revisions.Cache, name string) (revisions.Ref, error) {
	if channel, build, ok := strings.Cut(name, "@"); ok {
		if revisions.RepoOfChannel(channel) == "" {
			return revisions.Ref{}, cli.Usage("%s: unknown channel %q", name, channel)
		}
		h, err := cache.History()
		if err != nil {
			return revisions.Ref{}, err
		}
		ref, _, ok := h.Find(channel, build, build)
		if !ok {
			return ref, cli.WithHint(fmt.Errorf("%s: not in the index", name), "tmserver revisions sync")
		}
		return ref, nil
	}
	if !strings.Contains(name, "://") {
		name = "https://" + revisions.DefaultHost + "/" + name
	}
	ref, err := revisions.ParseURL(name)
	if err != nil {
		return ref, cli.Fail(cli.ExitUsage, err)
	}
	return ref, nil
}

// definition returns the attributes of a histogram, as JSON; nil if it is not
// defined.
func definition(ctx context.Context, cache *revisions.Cache, ref revisions.Ref, name string) (map[string]string, error) {
	spec, err := cache.Spec(ctx, ref)
	if err != nil {
		return nil, err
	}
	d := spec.Lookup([]byte(name))
	if d == nil {
		return nil, nil
	}
	text, err := cache.Raw(ctx, ref)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%v: %w", ref, err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(all[d.Name], &raw); err != nil {
		return nil, fmt.Errorf("%v: definition of %s: %w", ref, d.Name, err)
	}
	attrs := map[string]string{}
	for k, v := range raw {
		attrs[k] = strings.Join(strings.Fields(string(v)), " ") // on one line
	}
	if d.Err != nil {
		attrs["(error)"] = d.Err.Error()
	} else {
		attrs["(bounds)"] = strings.Trim(fmt.Sprint(d.Bounds()), "[]")
	}
	return attrs, nil
}
