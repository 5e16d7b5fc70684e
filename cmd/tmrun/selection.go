package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// selection is what --where selects, and what is to be said about it.
type selection struct {
	conditions []schema.Condition
	// nothing says why the job has no input; nil if it has some. The job runs all
	// the same, because a script may write rows without records, and then this is
	// the error.
	nothing error
}

// narrow narrows the session's filter to conditions: they only narrow what it selects.
func (s *session) narrow(where []string) error {
	selected, err := s.selection.parse(where, s.job.Filter.Selection)
	if err != nil {
		return err
	}
	s.job.Filter.Selection = selected
	return nil
}

// parse reads the conditions and narrows the filter to them.
func (sel *selection) parse(texts []string, filter schema.Filter) (schema.Filter, error) {
	for _, text := range texts {
		condition, err := schema.ParseWhere(text)
		if err != nil {
			return filter, cli.Fail(cli.ExitUsage, err)
		}

		sel.conditions = append(sel.conditions, condition)
		filter = filter.Where(condition.Dim, condition.Values)
	}

	return filter, nil
}

// check looks whether the plan has what the conditions name. A value that is
// nowhere in the tree is a typing mistake; a tree without
// records, and a filter that selects none of them, are not.
func (sel *selection) check(ctx context.Context, s *session, dataDir string) error {
	missing := sel.missing(s.plan.Inputs())
	if len(s.plan.Tasks) > 0 && len(missing) == 0 {
		return nil
	}

	// The whole tree is listed only now, because in an object store that takes
	// time.
	all := schema.All()
	all.IncludeQuarantined = true
	listing, err := s.tree.List(ctx, all)
	if err != nil {
		return err
	}
	if len(listing.Segments) == 0 {
		if !s.tree.IsData() && len(listing.Strays) == 0 || s.tree.IsData() {
			return sel.empty(s, dataDir)
		}

		return cli.Usage("%s is no data folder and no partition tree: it holds %s and no segments", dataDir, listing.Strays[0])
	}

	// A value that the tree has, but not together with the others, is no mistake.
	for _, m := range missing {
		if err := m.explain(listing.Segments); err != nil {
			return err
		}
	}
	if len(s.plan.Tasks) == 0 {
		sel.nothing = errors.New("the filter selects none of the " + counted(len(listing.Segments), "segment") + ": there is nothing to do")
	}

	return nil
}

// empty decides about a tree without segments: only a data folder may be empty.
func (sel *selection) empty(s *session, dataDir string) error {
	if !s.tree.IsData() {
		return cli.Usage("%s is no data folder and no partition tree: it is empty", dataDir)
	}
	sel.nothing = fmt.Errorf("%s holds no records yet: there is nothing to do", dataDir)

	return nil
}

// missingValue is a value that a condition names and no selected segment has.
type missingValue struct {
	dim   int
	value string
	text  string // of the condition
}

// missing returns the named values that no segment of the plan has.
func (sel *selection) missing(segments []layout.Segment) (missing []missingValue) {
	partitions := partitionsOf(segments)
	for _, c := range sel.conditions {
		for _, value := range c.Exact {
			if !slices.ContainsFunc(partitions, func(dims schema.Dims) bool { return dims[c.Dim] == value }) {
				missing = append(missing, missingValue{c.Dim, value, c.Text})
			}
		}
	}

	return missing
}

// explain returns the error for a value that no segment of the tree has, with the
// nearest that one has; nil if one has it, which another condition excludes.
func (m missingValue) explain(segments []layout.Segment) error {
	var values []string
	for _, dims := range partitionsOf(segments) {
		values = append(values, dims[m.dim])
	}

	// Each value once, for the search and for the list in the hint.
	slices.Sort(values)
	values = slices.Compact(values)
	if slices.Contains(values, m.value) {
		return nil
	}

	err := cli.Usage("condition %q: no record has the %s %s", m.text, schema.DimNames[m.dim], m.value)

	if m.dim == schema.Version && slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(v, m.value+".") }) {
		return cli.WithHint(err, fmt.Sprintf("%s=%s..%s selects all versions that begin with it", schema.DimNames[m.dim], m.value, m.value))
	}
	if near := suggest.Nearest(m.value, values); near != "" {
		return cli.WithHint(err, "did you mean "+near+"?")
	}

	// A list of all values could be very long.
	const most = 12
	if len(values) > most {
		values = append(values[:most:most], "…")
	}

	return cli.WithHint(err, "there are "+strings.Join(values, ", "))
}

// partitionsOf returns the partitions of segments, some of them several times.
func partitionsOf(segments []layout.Segment) (partitions []schema.Dims) {
	for _, segment := range segments {
		segment.Partitions(func(dims schema.Dims) { partitions = append(partitions, dims) })
	}
	return partitions
}
