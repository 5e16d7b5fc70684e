package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/revisions"
)

// revisionsDiffCmd compares a definition in two revisions.
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
"-" as they are in A, with "+" as they are in B, with " " if both are the same.
Prints nothing if nothing differs.

EXIT STATUS: 0 done, whether they differ or not; 1 failed, or neither revision
defines the histogram; 2 usage; 130 interrupted.`
}

func (c *revisionsDiffCmd) Run(ctx context.Context, st *cli.State, parent *revisionsCmd) error {
	cache, err := parent.cache(st)
	if err != nil {
		return err
	}
	defer cache.Close()

	a, err := readDefinition(ctx, cache, c.A, c.Name)
	if err != nil {
		return err
	}

	b, err := readDefinition(ctx, cache, c.B, c.Name)
	if err != nil {
		return err
	}

	// A definition that only one revision has differs in all attributes.
	if a.attributes == nil && b.attributes == nil {
		return fmt.Errorf("neither %v nor %v defines %s", a.ref, b.ref, c.Name)
	}
	if maps.Equal(a.attributes, b.attributes) {
		return nil
	}
	return printDiff(st.Stdout, a, b)
}

// definitionIn is a histogram's definition in a revision.
type definitionIn struct {
	ref        revisions.Ref
	attributes map[string]string // values as JSON, one line each; nil if it is not defined
}

// readDefinition reads the definition of a histogram in the named revision.
func readDefinition(ctx context.Context, cache *revisions.Cache, revision, histogram string) (definitionIn, error) {
	ref, err := findRef(cache, revision)
	if err != nil {
		return definitionIn{}, err
	}

	attributes, err := readAttributes(ctx, cache, ref, histogram)
	return definitionIn{ref, attributes}, err
}

// findRef returns the revision that the user names.
func findRef(cache *revisions.Cache, name string) (revisions.Ref, error) {
	channel, build, ok := strings.Cut(name, "@")
	if ok {
		return findInIndex(cache, channel, build)
	}

	// A short name is the end of a URL on the default host.
	if !strings.Contains(name, "://") {
		name = "https://" + revisions.DefaultHost + "/" + name
	}
	ref, err := revisions.ParseURL(name)
	if err != nil {
		return ref, cli.Fail(cli.ExitUsage, err)
	}
	return ref, nil
}

// findInIndex returns the revision of a build ID or version of a channel.
func findInIndex(cache *revisions.Cache, channel, build string) (revisions.Ref, error) {
	if revisions.RepoOfChannel(channel) == "" {
		return revisions.Ref{}, cli.Usage("%s@%s: unknown channel %q", channel, build, channel)
	}
	history, err := cache.History()
	if err != nil {
		return revisions.Ref{}, err
	}

	ref, _, ok := history.Find(channel, build, build)
	if !ok {
		return ref, cli.WithHint(fmt.Errorf("%s@%s: not in the index", channel, build), "tmserver revisions sync")
	}
	return ref, nil
}

// readAttributes returns the attributes of a histogram and the bounds of its
// buckets; nil if the revision does not define it.
func readAttributes(ctx context.Context, cache *revisions.Cache, ref revisions.Ref, histogram string) (map[string]string, error) {
	spec, err := cache.Spec(ctx, ref)
	if err != nil {
		return nil, err
	}

	definition := spec.Lookup([]byte(histogram))
	if definition == nil {
		return nil, nil
	}

	// The attributes as they are in Histograms.json: a Definition has only the bounds
	// that follow from them.
	text, err := cache.Raw(ctx, ref)
	if err != nil {
		return nil, err
	}

	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%v: %w", ref, err)
	}

	var values map[string]json.RawMessage
	if err := json.Unmarshal(all[definition.Name], &values); err != nil {
		return nil, fmt.Errorf("%v: definition of %s: %w", ref, definition.Name, err)
	}

	// Each value becomes one line, so that the output has one line for each attribute.
	attributes := map[string]string{}
	for name, value := range values {
		attributes[name] = strings.Join(strings.Fields(string(value)), " ")
	}
	if definition.Err != nil {
		attributes["(error)"] = definition.Err.Error()
	} else {
		attributes["(bounds)"] = strings.Trim(fmt.Sprint(definition.Bounds()), "[]")
	}
	return attributes, nil
}

// printDiff prints the attributes of both definitions, by name.
func printDiff(w io.Writer, a, b definitionIn) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "--- %v\n+++ %v\n", a.ref, b.ref)

	// The names of both, because each definition may have attributes that the other lacks.
	all := map[string]string{}
	maps.Copy(all, a.attributes)
	maps.Copy(all, b.attributes)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		inA, hasA := a.attributes[name]
		inB, hasB := b.attributes[name]
		if hasA && hasB && inA == inB {
			fmt.Fprintf(out, " %s: %s\n", name, inA)
			continue
		}
		if hasA {
			fmt.Fprintf(out, "-%s: %s\n", name, inA)
		}
		if hasB {
			fmt.Fprintf(out, "+%s: %s\n", name, inB)
		}
	}
	return out.Flush()
}
