package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/lint"
	"github.com/aitgithub/telemetry-server/engine/tables"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/dedup"
	"github.com/aitgithub/telemetry-server/revisions"
)

// session is what one command works with. Its steps, the methods below, open one
// part each in the order in which they stand here; a later step needs the parts
// of the earlier ones. Not every command takes every step. close closes all parts.
type session struct {
	st     *cli.State
	job    *script.Job    // its script, limits and filter come with the steps
	engine engine.Options // how the engine runs it

	scriptPath string   // the script as another process finds it
	passes     []pass   // the jobs whose rows the script imports, in the order of running
	results    results  // of the passes that are done
	unchecked  []string // names of scripts that can be checked only when the passes are done
	title      string   // what begins progress and summary, "" without other passes

	tree   *layout.Tree
	source engine.TreeSource
	plan   *engine.Plan

	selection selection  // what --where selects
	tables    tables.Set // of the script; nil: it has none

	work    engine.Job      // what the engine runs: job, or what wraps it
	sampled *engine.Sampled // the wrapper for --sample and --sample-clients; nil without

	definitions *revisions.Cache // what job.Limits.Definitions is; nil without

	failed   failedCalls // of run and child
	profiles profiles    // of the processes of --isolate
	closers  []func()    // in the order of opening
}

// newSession returns a session without any parts. The caller closes it.
func newSession(st *cli.State) *session {
	// The work is the job itself unless a step wraps it.
	s := &session{
		st:      st,
		job:     &script.Job{Limits: script.DefaultLimits(), Counters: &script.Counters{}},
		engine:  engine.DefaultOptions(),
		results: newResults(),
	}
	s.engine.Log = st.Log
	s.work = s.job
	return s
}

// close closes the parts, the last one first.
func (s *session) close() {
	for _, closePart := range slices.Backward(s.closers) {
		closePart()
	}
	s.closers = nil
}

// loadScript compiles the script at a path, or the shipped one of that name.
func (s *session) loadScript(name string) (err error) {
	s.scriptPath = name
	s.job.Script, err = loadScript(name)
	if err != nil {
		return err
	}

	s.job.Console = consoleTo(s.st, s.job.Script.Name)
	return nil
}

// warn prints what tmrun check knows of the script, once. A script that cannot do
// what it says ends here, before the data are read.
func (s *session) warn(ctx context.Context) error { return s.warnOf(ctx, s.job.Script) }

// warnOf is warn for any script of the session.
func (s *session) warnOf(ctx context.Context, checked *script.Script) error {
	// Names of histograms are compared with the cached definitions only.
	var histograms lint.Histograms
	if known := newKnownHistograms(ctx, s.definitions); known != nil {
		histograms = known
	}

	findings, err := lint.CheckScript(ctx, checked, s.job.Limits, histograms)
	if err != nil {
		return err
	}

	for _, finding := range findings {
		switch {
		case finding.StopsRun():
			return finding.Err
		case finding.Unchecked():
			s.unchecked = append(s.unchecked, checked.Name)
			continue
		}
		fmt.Fprintf(s.st.Stderr, "%v\n%s", finding.Err, finding.Err.Detail())
	}

	return nil
}

// allowCalls sets what a call of the script may take, and opens the histogram
// definitions that it may look up. dataDir may be "".
func (s *session) allowCalls(flags *callFlags, dataDir string) error {
	s.job.Limits.Call = flags.CallTimeout

	definitions, err := flags.openDefinitions(dataDir)
	if err != nil || definitions == nil {
		return err
	}

	s.closers = append(s.closers, func() { definitions.Close() })
	s.definitions = definitions
	s.job.Limits.Definitions = definitions
	return nil
}

// loadFilter compiles the filter at a path, or the shipped one of that name; ""
// is the filter that selects everything valid.
func (s *session) loadFilter(ctx context.Context, name string) (err error) {
	s.job.Filter, err = loadFilter(ctx, name, s.job.Limits, s.job.Console)
	return err
}

// openTree opens a data folder or a partition tree.
func (s *session) openTree(dir string) error {
	tree, err := layout.OpenTree(dir)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}

	s.closers = append(s.closers, func() { tree.Close() })
	if err := tree.SkipForgotten(context.Background()); err != nil {
		return fmt.Errorf("deletion requests of %s: %w", dir, err)
	}

	tree.SetLog(s.st.Log)
	s.tree = tree
	s.source = engine.TreeSource{Tree: tree}
	return nil
}

// makePlan decides which segments of the tree the job reads, and parts them into
// tasks.
func (s *session) makePlan(ctx context.Context) error {
	// A filter script decides partitions in a runtime that lives as long as the plan
	// is made.
	accept, free, err := s.job.Filter.Accept(ctx)
	if err != nil {
		return err
	}
	defer free()

	s.plan, err = engine.NewPlan(ctx, s.source, s.job.Filter.Selection, accept)
	return err
}

// dropDuplicates leaves only the latest submission of each document in the source.
func (s *session) dropDuplicates(ctx context.Context) (err error) {
	s.source.Duplicates, err = s.tree.Latest(ctx, s.plan.Inputs(), dedup.Options{WorkDir: s.engine.WorkDir})
	return err
}

// exitWhenStuck ends the process when a call neither ends nor can be interrupted,
// as a regular expression that backtracks: nothing else ends such a call. cleanUp
// is called before.
func (s *session) exitWhenStuck(hint string, cleanUp func()) {
	s.job.Limits.Stuck = func(err error) {
		cleanUp()
		os.Exit(cli.Report(s.st, "tmrun", cli.WithHint(cli.Fail(cli.ExitLimit, err), hint)))
	}
}

// takeSample maps only a share of the records.
func (s *session) takeSample(share engine.Share) {
	if share != engine.Whole() {
		s.sampled = engine.Sample(s.work, share)
		s.work = s.sampled
	}
}

// consoleTo returns the function that prints what a script logs on stderr, with
// the script's name. It is safe for concurrent use.
func consoleTo(st *cli.State, name string) func(level, text string) {
	var mu sync.Mutex // one line at a time
	return func(level, text string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(st.Stderr, "%s: %s: %s\n", name, level, cli.PrintableText(text)) // it may be of a ping
	}
}

// forgotten returns how many clients' records are left out of the tree, if there is one.
func (s *session) forgotten() int {
	if s.tree == nil {
		return 0
	}
	return s.tree.Forgotten().Len()
}
