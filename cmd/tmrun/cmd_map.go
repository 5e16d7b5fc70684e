package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// mapCmd runs map tasks: segments that standard input names, to pairs on standard output.
type mapCmd struct {
	taskFlags
	DataDir     string   `short:"d" predictor:"folder" name:"data-dir" placeholder:"DIR" help:"The tree that the names are of (default: the one that the paths lie in)."`
	InputFilter string   `short:"f" predictor:"filter" name:"input-filter" placeholder:"FILE" help:"JSON or JavaScript filter, or the name of a shipped one (default: everything valid)."`
	Where       []string `name:"where" sep:"none" placeholder:"DIM=…" help:"dim=v1,v2 or dim=lo..hi; repeatable, combines with the filter."`
	shareFlags  `embed:""`
	Mappers     workers `short:"m" name:"num-mappers" placeholder:"N" help:"Map tasks at a time (default: all processors)."`
	Dims        string  `placeholder:"R/A/C/V/B/D" help:"Standard input is records of these dimensions, reason/app/channel/version/build/date, not names."`
	Dedup       string  `hidden:"" enum:"none,latest" default:"none"`
	Segment     string  `default:"stdin" help:"With --dims: the name of the input in messages."`
	Pack        int     `default:"0" hidden:"" help:"Write packed pairs for so many shards, and how each task has ended."`

	tree string // that the paths lie in
}

// Help is the long help.
func (c *mapCmd) Help() string {
	return `Reads names of segments, a line each, maps them as tmrun does and writes their
pairs, a line each. Sorted by bytes, tmrun reduce reads them:

  find TREE -type f | tmrun map job.js | LC_ALL=C sort | tmrun reduce job.js

Files that are no segments, and those that the filter does not select, are left
out. Any number of tmrun map may share the names. A task that runs twice writes
the same lines twice, which reduce counts once; one that was interrupted is an
error of reduce. Counters go to standard error, as "reporter:counter:group,name,n".
docs/CLUSTER.md describes the lines. There is no --dedup here, because a task
sees one segment only.

EXIT STATUS: 0 done; 1 failed; 2 usage; 4 a segment is damaged; 5 the script failed;
6 a limit was hit.`
}

// Run implements the command.
func (c *mapCmd) Run(ctx context.Context, st *cli.State) error {
	s := newSession(st)
	defer s.close()
	if err := c.run(ctx, s); err != nil {
		return explainError(st, err, c.DataDir)
	}
	return nil
}

func (c *mapCmd) run(ctx context.Context, s *session) error {
	// The flag exists for its error: people pass tmrun's flags on to tasks.
	if c.Dedup != "none" {
		return cli.WithHint(cli.Usage("--dedup %s: a task sees one segment, and the later submission of a document may be in any other", c.Dedup),
			"tmrun --dedup latest looks at all of them first")
	}
	if c.Pack > 0 {
		return c.runPacked(ctx, s)
	}

	// Names are read first: without --data-dir they say which tree to open.
	var names []string
	var err error
	if c.Dims == "" {
		if names, err = c.readNames(s.st.Stdin); err != nil {
			return err
		}
	}

	if err := c.open(ctx, s); err != nil {
		return err
	}

	// Records come as one segment, names as those that they name.
	var source engine.Source
	switch {
	case c.Dims != "":
		dims, err := schema.ParseDims(c.Dims)
		if err != nil {
			return cli.Fail(cli.ExitUsage, fmt.Errorf("--dims: %w", err))
		}
		source = engine.StreamSource{Segment: engine.Segment{Segment: layout.Segment{Path: c.Segment, Dims: dims}}, In: s.st.Stdin}
		s.plan, err = engine.NewPlan(ctx, source, s.job.Filter.Selection, nil)
		if err != nil {
			return err
		}
	case len(names) > 0:
		if source, err = c.planNames(ctx, s, names); err != nil {
			return err
		}
	default:
		s.plan = &engine.Plan{}
	}

	// Tasks end in any order; their lines are written as they end.
	total := taskCounts{}
	lines := engine.NewPairLines(s.st.Stdout)
	err = engine.MapTasks(ctx, source, s.plan.Tasks, s.work, s.engine, func(t engine.Task, done engine.TaskStats, pairs engine.TaskPairs, err error) error {
		if err != nil {
			return err
		}
		total.add(done)
		return lines.Task(t, done, pairs)
	})

	total.print(s)
	return err
}

// open loads script and filter.
func (c *mapCmd) open(ctx context.Context, s *session) error {
	s.engine.Mappers = c.Mappers.or(s.engine.Mappers)
	if err := c.begin(s, c.DataDir); err != nil {
		return err
	}
	if err := s.loadFilter(ctx, c.InputFilter); err != nil {
		return err
	}
	if err := s.narrow(c.Where); err != nil {
		return err
	}
	s.takeSample(c.share())
	return nil
}

// readNames reads the names of segments and finds the tree that they are in.
func (c *mapCmd) readNames(in io.Reader) (names []string, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			continue
		}

		// A tab parts the ID of a record from its ping, so records came instead of names.
		if id, _, ok := strings.Cut(line, "\t"); ok {
			return nil, cli.WithHint(cli.Usage("%q is no path of a segment", id), "--dims says that standard input is records, and of which dimensions")
		}

		// With --data-dir names may be relative to it.
		top, name := layout.TopOf(line)
		switch _, isSegment := layout.PlannedSegment(line); {
		case c.DataDir != "":
			name = strings.TrimPrefix(strings.TrimPrefix(line, strings.TrimSuffix(c.DataDir, "/")), "/")
		case !isSegment:
			name = line
		case c.tree == "":
			c.tree = top
		case c.tree != top:
			return nil, cli.Usage("segments of two trees, %s and %s: a job reads one", c.tree, top)
		}
		names = append(names, name)
	}

	// Without the flag the tree is the one that all names share.
	if c.DataDir == "" {
		c.DataDir = c.tree
	}
	return names, lines.Err()
}

// isThere says whether a file of that name exists, in the data folder or here. Of an
// object store it does not know, and believes it.
func (c *mapCmd) isThere(name string) bool {
	if layout.IsURL(c.DataDir) {
		return true
	}
	for _, path := range []string{name, filepath.Join(c.DataDir, name)} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}

// planNames plans the tasks of the named segments.
func (c *mapCmd) planNames(ctx context.Context, s *session, names []string) (engine.Source, error) {
	skipped, first := 0, ""
	skip := func(name string) {
		if skipped == 0 {
			first = name
		}
		skipped++
	}

	// Without a segment there is no tree.
	source := engine.NamedSource{Skipped: skip}
	missing := ""
	for _, name := range names {
		if _, ok := layout.PlannedSegment(name); ok {
			source.Names = append(source.Names, name)
			continue
		}

		// What find lists beside segments is there.
		if missing == "" && !c.isThere(name) {
			missing = name
		}
		skip(name)
	}

	s.plan = &engine.Plan{}
	if len(source.Names) > 0 {
		if err := s.openTree(c.DataDir); err != nil {
			return nil, err
		}
		source.TreeSource = s.source

		accept, free, err := s.job.Filter.Accept(ctx)
		if err != nil {
			return nil, err
		}
		defer free()

		if s.plan, err = engine.NewPlan(ctx, source, s.job.Filter.Selection, accept); err != nil {
			if errors.Is(err, layout.ErrNotListed) {
				return nil, cli.Fail(cli.ExitUsage, err)
			}
			return nil, err
		}
	}

	// Anything else is no list of names, or one that was damaged on its way.
	if missing != "" {
		return nil, fmt.Errorf("%w: %.100q is no path of a segment", engine.ErrStream, missing)
	}
	if skipped > 0 {
		fmt.Fprintf(s.st.Stderr, "tmrun: %s left out, which are no segments; the first is %s\n", counted(skipped, "file"), first)
	}
	return source, nil
}
