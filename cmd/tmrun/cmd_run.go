package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// runCmd runs one job: plan, map, reduce, write.
type runCmd struct {
	Script string `arg:"" predictor:"script" help:"The job: a path, or the name of a shipped script."`

	DataDir     string        `short:"d" predictor:"folder" name:"data-dir" env:"TMRUN_DATA_DIR" placeholder:"DIR" help:"A server's data folder, or any partition tree. Needed, unless there is --server."`
	Server      string        `name:"server" placeholder:"URL" help:"Run the job there: the admin address of a tmserver. The environment variable TMRUN_TOKEN has the token, if it needs one."`
	Backfill    string        `name:"backfill" placeholder:"FROM..TO" help:"With --server: run the script of this name in the server's folder for each of these submission dates, and write how each result differs from that before."`
	InputFilter string        `short:"f" predictor:"filter" name:"input-filter" placeholder:"FILE" help:"JSON or JavaScript filter, or the name of a shipped one (default: everything valid)."`
	Where       []string      `name:"where" sep:"none" placeholder:"DIM=…" help:"dim=v1,v2 or dim=lo..hi; repeatable, combines with the filter."`
	Dedup       string        `enum:"none,latest" default:"none" placeholder:"latest" help:"latest: each document counts once, by its latest submission; a saved-session replaces the idle-dailies of its session."`
	Output      string        `short:"o" predictor:"file" placeholder:"FILE" help:"Where the result goes (default: standard output); s3://bucket/name too. A folder gets a file for each table of the script."`
	PartSize    size          `name:"part-size" default:"0" placeholder:"SIZE" help:"Write into the folder of --output files of about that many bytes of rows, which follow each other; 0: one file."`
	Table       string        `name:"table" placeholder:"NAME" help:"Write one table of the script (default: the only one, or all into the folder of --output)."`
	Format      string        `enum:"${formats}," default:"" placeholder:"F" help:"One of ${formats} (default: what the output file's ending says, else tsv)."`
	OrderBy     []string      `name:"order-by" sep:"none" placeholder:"COLUMN[:desc]" help:"Order of the rows: columns, the first decides first; repeatable, or with commas (default: the order of the keys)."`
	Limit       int64         `default:"0" placeholder:"N" help:"Write the first N rows only; 0 is no limit."`
	Mappers     workers       `short:"m" name:"num-mappers" placeholder:"N" help:"Map tasks at a time (default: all processors)."`
	Reducers    workers       `short:"r" name:"num-reducers" placeholder:"N" help:"Reduce tasks at a time (default: all processors)."`
	WorkDir     string        `short:"w" predictor:"folder" name:"work-dir" placeholder:"DIR" help:"Folder for temporary data (default: the system's)."`
	Memory      size          `default:"128MiB" placeholder:"SIZE" help:"Intermediate data kept in memory; more goes to the work folder."`
	MaxErrors   failures      `name:"max-errors" default:"0" placeholder:"N" help:"Records and keys that may fail without stopping the job; -1 is any number."`
	MaxOutput   size          `name:"max-output" default:"0" placeholder:"SIZE" help:"What the job may write; 0 is no limit."`
	Timeout     time.Duration `default:"0" zero:"no limit" help:"What the whole job may take; 0 is no limit."`
	callFlags   `embed:""`
	NoCache     bool `name:"no-cache" help:"Map everything again: neither read nor write the cache of map results in a data folder's state/."`
	CacheSize   size `name:"cache-size" default:"1GiB" placeholder:"SIZE" help:"What the cache of map results may hold."`
	sparkFlags  `embed:""`
	Isolate     bool          `help:"Run each task in a process of its own, with limits."`
	TaskMemory  size          `name:"task-memory" default:"512MiB" placeholder:"SIZE" help:"With --isolate: memory that one task may use."`
	TaskTimeout time.Duration `name:"task-timeout" default:"10m" zero:"no limit" help:"With --isolate: what one task may take; 0 is no limit."`

	shareFlags `embed:""`
	Explain    bool   `help:"Print what the job would read and an estimate of its time; run no more than a few tasks."`
	Progress   string `enum:"auto,plain,none" default:"auto" placeholder:"HOW" help:"auto: a bar if standard error is a terminal; plain: a line every five seconds; none: no summary either."`
	Supervised bool   `hidden:"" help:"Write events as JSON lines to file descriptor 3, and end when stdin ends."`
	supervisor *supervisor

	Profile string `predictor:"file" placeholder:"FILE" help:"Write a profile of the script by line, for go tool pprof."`
}

// heapBytes is what tmrun may use beside --memory before it collects garbage
// more often than gcPercent says: decoded frames, tables, runtimes.
const heapBytes = 192 << 20

var errTimeout = errors.New("the job's time limit is over")

// Help is the long help.
func (c *runCmd) Help() string {
	return `Runs a job over a data folder: map, and combine and reduce if the script has
them. The result goes to standard output or a file, everything else to standard
error. Calls that fail are saved, and tmrun repro makes them again.

EXIT STATUS: 0 done; 1 failed; 2 usage; 3 done, but records were rejected, or none
were selected; 4 a segment is damaged; 5 the script failed; 6 a limit was hit; 130
interrupted.`
}

// Run implements the command.
func (c *runCmd) Run(ctx context.Context, st *cli.State) error {
	// The time counts from here, so that a slow server or store is in it.
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("%w: %s", errTimeout, c.Timeout))
		defer cancel()
	}

	if c.Server != "" {
		return c.runRemote(ctx, st)
	}
	if c.Backfill != "" {
		return cli.Usage("--backfill needs --server")
	}
	if c.DataDir == "" {
		return cli.Usage("missing flags: --data-dir=DIR")
	}

	if c.Supervised {
		c.supervisor, ctx = openSupervisor(ctx, st.Stdin)
	}

	err := c.runJob(ctx, st)
	if err != nil {
		c.supervisor.send(api.Event{Error: err.Error()})
	}
	return err
}

// runJob runs the job; its errors have their exit codes.
func (c *runCmd) runJob(ctx context.Context, st *cli.State) error {
	s := newSession(st)
	defer s.close()

	defer c.closeCluster()

	// Whatever a deadline interrupts returns DeadlineExceeded, without saying which.
	stats, err := c.run(ctx, s)
	if errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(ctx) // the cause names the limit
	}

	// An interrupt may come back as any error, but it is not the script's fault.
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return cli.Fail(cli.ExitInterrupted, context.Cause(ctx))
	}

	// Calls that failed are saved whether they ended the job or were tolerated.
	if err != nil {
		return c.saveFailed(s, explainError(st, err, c.DataDir))
	}
	if text := rejectedText(stats); text != "" {
		return c.saveFailed(s, cli.Fail(cli.ExitRejected, errors.New(text)))
	}
	if s.selection.nothing != nil && !c.Explain {
		return cli.Fail(cli.ExitRejected, errors.New("the result is of no records"))
	}

	return nil
}

// run is the flow of a job.
func (c *runCmd) run(ctx context.Context, s *session) (stats engine.Stats, err error) {
	if err := c.checkSpark(); err != nil {
		return stats, err
	}
	if err := c.setLimits(s); err != nil {
		return stats, err
	}

	if c.PartSize > 0 && !c.isFolder() {
		return stats, cli.Usage("--part-size needs a folder: --output FOLDER/")
	}

	order, err := c.order()
	if err != nil {
		return stats, err
	}

	// A wrong format is an error now; the name of a folder has no ending to choose one.
	if !c.isFolder() {
		if _, err := c.formatName(); err != nil {
			return stats, err
		}
	}

	// The script and the filter come first: their mistakes show without any data.
	if err := c.loadJob(ctx, s); err != nil {
		return stats, err
	}

	c.limitMemory(s)
	if err := c.openData(ctx, s); err != nil {
		return stats, err
	}
	if c.Explain {
		return stats, c.explainPlan(ctx, s)
	}

	c.supervisor.input(s.plan)

	// The output is opened before the work, so that a wrong name or wrong columns
	// cost no hours.
	out, err := c.openResult(ctx, s)
	if err != nil {
		return stats, err
	}
	defer out.discard()

	// Jobs whose rows the script imports come first: its columns may depend on them.
	s.exitWhenStuck("--isolate ends such a task alone", out.discard)
	before, err := c.runPasses(ctx, s)
	if err != nil {
		return before, err
	}
	if len(s.passes) > 0 {
		c.limitMemory(s)
	}

	if err := c.begin(ctx, s, order, out); err != nil {
		return stats, err
	}

	if err := c.placeTasks(ctx, s); err != nil {
		return stats, err
	}

	report, err := c.startReport(s, c.Profile)
	if err != nil {
		return stats, err
	}
	defer report.stop()

	// All work is done here: map, combine, shuffle, reduce.
	stats, err = c.runTasks(ctx, s, out)
	if err != nil {
		return stats, err
	}

	// The output appears under its name only now, when it is complete.
	if err := out.Close(); err != nil {
		return stats, orderError(fmt.Errorf("write output: %w", err))
	}

	if err := out.commit(ctx); err != nil {
		return stats, err
	}

	report.dropped = out.dropped()
	report.summary(stats)
	c.supervisor.done(stats, stats.Rows-report.dropped, s.job.Counters.All())

	// What was rejected in any pass decides the exit code.
	stats.Records += before.Records
	stats.Rejected += before.Rejected
	stats.Failed += before.Failed
	return stats, nil
}

// setLimits sets the engine's options.
func (c *runCmd) setLimits(s *session) error {
	if c.WorkDir != "" {
		if fi, err := os.Stat(c.WorkDir); err != nil || !fi.IsDir() {
			return cli.Usage("--work-dir %s is not a folder", c.WorkDir)
		}
	}

	o := &s.engine
	o.Mappers = c.Mappers.or(o.Mappers)
	o.Reducers = c.Reducers.or(o.Reducers)
	o.WorkDir = c.WorkDir
	o.Memory = int64(c.Memory)
	o.MaxErrors = int64(c.MaxErrors)
	o.MaxOutput = int64(c.MaxOutput)
	o.Rejected = s.failed.add
	return nil
}

// limitMemory sets the process's memory limit. Without one, garbage could grow to several
// times what the job holds. What scripts import stays in memory, and comes on top: within
// the limit there would be no end of collecting garbage.
func (c *runCmd) limitMemory(s *session) {
	if s.st.Env("GOMEMLIMIT") != "" {
		return
	}

	held := int64(0)
	if len(s.job.Script.Data)+len(s.passes) > 0 || s.job.Filter.Imports() {
		runtime.GC()
		heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(heap)
		held = int64(heap[0].Value.Uint64())
	}
	debug.SetMemoryLimit(int64(c.Memory) + heapBytes + held)
}

// loadJob loads the script and the filter, which --where narrows.
func (c *runCmd) loadJob(ctx context.Context, s *session) error {
	if err := s.loadScript(c.Script); err != nil {
		return err
	}
	s.job.Fields = &script.Fields{} // for the summary

	// A filter's calls have the limits of the script's, so these come first.
	if err := s.allowCalls(&c.callFlags, c.DataDir); err != nil {
		return err
	}
	if err := s.loadPasses(ctx); err != nil {
		return err
	}
	if err := s.warn(ctx); err != nil {
		return err
	}
	// The tables of a script that imports rows may depend on these.
	if len(s.passes) == 0 {
		if err := c.chooseTables(ctx, s); err != nil {
			return err
		}
	}
	if err := s.loadFilter(ctx, c.InputFilter); err != nil {
		return err
	}

	return s.narrow(c.Where)
}

// openData opens the data folder and plans which segments to read.
func (c *runCmd) openData(ctx context.Context, s *session) error {
	if err := s.openTree(c.DataDir); err != nil {
		return err
	}
	if err := s.makePlan(ctx); err != nil {
		return err
	}

	// Which submission of a document is the latest shows only in all of them.
	if c.Dedup == "latest" {
		if err := s.dropDuplicates(ctx); err != nil {
			return err
		}
	}

	// A job without input still writes what setupReduce writes.
	if err := s.selection.check(ctx, s, c.DataDir); err != nil {
		return err
	}
	if s.selection.nothing != nil {
		fmt.Fprintln(s.st.Stderr, "tmrun:", s.selection.nothing)
	}

	return nil
}

// placeTasks decides where tasks run, in this process or in their own, and which
// need not run: those with a cached result, and records outside the sample.
func (c *runCmd) placeTasks(ctx context.Context, s *session) error {
	if c.Isolate {
		if err := c.isolateTasks(ctx, s); err != nil {
			return err
		}
	}

	// The results of a sample are not those of whole segments, so they bypass the
	// cache.
	if c.share() != engine.Whole() {
		s.takeSample(c.share())
	} else if !c.NoCache && c.Engine == "local" {
		c.openCache(ctx, s)
	}
	return nil
}

// rejectedText describes the input that was rejected, "" if nothing was.
func rejectedText(stats engine.Stats) string {
	var parts []string
	if stats.Rejected > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d records were rejected", stats.Rejected, stats.Records))
	}
	if stats.Failed > 0 {
		parts = append(parts, counted(int(stats.Failed), "call")+" of mapFinished, combine or reduce failed")
	}
	return strings.Join(parts, ", ")
}

// counted is a number of things, in words for people.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
