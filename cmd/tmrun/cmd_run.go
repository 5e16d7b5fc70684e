package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/cache"
	"github.com/aitgithub/telemetry-server/engine/isolate"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
	"github.com/aitgithub/telemetry-server/filters"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/scripts"
)

// runCmd runs one job: plan, map, reduce, write.
type runCmd struct {
	Script string `arg:"" predictor:"script" help:"The job: a path, or the name of a shipped script."`

	DataDir         string        `short:"d" predictor:"folder" name:"data-dir" placeholder:"DIR" required:"" help:"A server's data folder, or any partition tree."`
	InputFilter     string        `short:"f" predictor:"filter" name:"input-filter" placeholder:"FILE" help:"JSON or JavaScript filter, or the name of a shipped one (default: everything valid)."`
	Where           []string      `name:"where" sep:"none" placeholder:"DIM=…" help:"dim=v1,v2 or dim=lo..hi; repeatable, combines with the filter."`
	Dedup           string        `enum:"none,latest" default:"none" placeholder:"latest" help:"latest: each document counts once, by its latest submission; a saved-session replaces the idle-dailies of its session."`
	Output          string        `short:"o" predictor:"file" placeholder:"FILE" help:"Where the result goes (default: standard output)."`
	Format          string        `enum:"${formats}," default:"" placeholder:"F" help:"One of ${formats} (default: what the output file's ending says, else tsv)."`
	Mappers         workers       `short:"m" name:"num-mappers" placeholder:"N" help:"Map tasks at a time (default: all processors)."`
	Reducers        workers       `short:"r" name:"num-reducers" placeholder:"N" help:"Reduce tasks at a time (default: all processors)."`
	WorkDir         string        `short:"w" predictor:"folder" name:"work-dir" placeholder:"DIR" help:"Folder for temporary data (default: the system's)."`
	Memory          size          `default:"128MiB" placeholder:"SIZE" help:"Intermediate data kept in memory; more goes to the work folder."`
	MaxErrors       failures      `name:"max-errors" default:"0" placeholder:"N" help:"Records and keys that may fail without stopping the job; -1 is any number."`
	MaxOutput       size          `name:"max-output" default:"0" placeholder:"SIZE" help:"What the job may write; 0 is no limit."`
	CallTimeout     time.Duration `name:"call-timeout" default:"30s" help:"What one call of a script's function may take; 0 is no limit."`
	Timeout         time.Duration `default:"0" help:"What the whole job may take; 0 is no limit."`
	definitionFlags `embed:""`
	NoCache         bool          `name:"no-cache" help:"Map everything again; do not use or keep the map results of earlier runs in a data folder's state/."`
	CacheSize       size          `name:"cache-size" default:"1GiB" placeholder:"SIZE" help:"Map results to keep in the data folder."`
	Isolate         bool          `help:"Run each task in a process of its own, with limits."`
	TaskMemory      size          `name:"task-memory" default:"512MiB" placeholder:"SIZE" help:"With --isolate: memory that one task may use."`
	TaskTimeout     time.Duration `name:"task-timeout" default:"10m" help:"With --isolate: what one task may take; 0 is no limit."`

	aroundFlags `embed:""`

	failed failedCalls
}

// debugVariable is the environment variable that makes tmrun print Go's stacks.
const debugVariable = "TMRUN_DEBUG"

// heapBytes is what tmrun may use beside --memory before it collects garbage
// more often than gcPercent says: decoded frames, tables, runtimes.
const heapBytes = 192 << 20

var errTimeout = errors.New("the job's time limit is over")

// Run implements the command.
//
// EXIT STATUS: 0 done; 3 done, but records were rejected; 5 the script failed;
// 4 a segment is damaged; 6 a limit was hit; 130 interrupted.
func (c *runCmd) Run(ctx context.Context, st *cli.State) error {
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("%w: %s", errTimeout, c.Timeout))
		defer cancel()
	}
	stats, err := c.run(ctx, st)
	if errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(ctx) // which names the limit
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) { // wherever it was noticed: no fault of the script
		return cli.Fail(cli.ExitInterrupted, context.Cause(ctx))
	}
	if err != nil {
		return c.keepFailed(c.explain(st, err))
	}
	if text := rejectedText(stats); text != "" {
		return c.keepFailed(cli.Fail(cli.ExitRejected, errors.New(text)))
	}
	return nil
}

// rejectedText says what of the input was rejected; "" if nothing was.
func rejectedText(s engine.Stats) string {
	var parts []string
	if s.Rejected > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d records were rejected", s.Rejected, s.Records))
	}
	if s.Failed > 0 {
		parts = append(parts, counted(int(s.Failed), "call")+" of mapFinished, combine or reduce failed")
	}
	return strings.Join(parts, ", ")
}

func (c *runCmd) run(ctx context.Context, st *cli.State) (stats engine.Stats, err error) {
	opts, err := c.options(st)
	if err != nil {
		return stats, err
	}
	compiled, err := loadScript(c.Script)
	if err != nil {
		return stats, err
	}
	console := consoleTo(st, compiled.Name)
	limits := script.DefaultLimits()
	limits.Call = c.CallTimeout
	definitions, err := c.open(c.DataDir)
	if err != nil {
		return stats, err
	}
	if definitions != nil {
		defer definitions.Close()
		limits.Definitions = definitions
	}
	filter, err := c.filter(ctx, limits, console)
	if err != nil {
		return stats, err
	}
	tree, err := layout.OpenTree(c.DataDir)
	if err != nil {
		return stats, cli.Fail(cli.ExitUsage, err)
	}
	defer tree.Close()
	tree.SetLog(st.Log)
	src := engine.TreeSource{Tree: tree}
	accept, free, err := filter.Accept(ctx)
	if err != nil {
		return stats, err
	}
	defer free()
	plan, err := engine.NewPlan(ctx, src, filter.Selection, accept)
	if err != nil {
		return stats, err
	}
	if c.Dedup == "latest" {
		if src.Duplicates, err = tree.Latest(ctx, plan.Inputs(), layout.LatestOptions{WorkDir: c.WorkDir}); err != nil {
			return stats, err
		}
	}
	if len(plan.Tasks) == 0 {
		fmt.Fprintln(st.Stderr, "tmrun: the filter matches no segments; there is nothing to do")
	}
	job := &script.Job{Script: compiled, Filter: filter, Limits: limits, Console: console, Counters: &script.Counters{}}
	if c.Explain {
		return stats, c.explainPlan(ctx, st.Stdout, src, plan, job, opts)
	}
	out, err := openOutput(c.Output, st.Stdout)
	if err != nil {
		return stats, err
	}
	defer out.discard()
	sink, err := c.sink(ctx, compiled, limits, out)
	if err != nil {
		return stats, err
	}
	job.Limits.Stuck = func(err error) { // what listens to no interrupt ends with the process
		out.discard()
		os.Exit(cli.Report(st, "tmrun", cli.WithHint(cli.Fail(cli.ExitLimit, err), "--isolate ends such a task alone")))
	}
	var inner engine.Job = job
	if c.Isolate {
		tasks, err := c.isolated(st, job.Counters)
		if err != nil {
			return stats, err
		}
		defer tasks.Close()
		inner = tasks
	}
	if results := c.openCache(st, tree); results != nil {
		defer results.Close()
		opts.Cache, opts.CacheKey = results, append(job.CacheKey(), cli.Version()...)
	}
	around, err := c.begin(st, plan, job, inner, &opts)
	if err != nil {
		return stats, err
	}
	defer around.end()
	if stats, err = engine.Run(ctx, src, plan, around.job, sink, opts); err != nil {
		return stats, err
	}
	if err := sink.Close(); err != nil {
		return stats, fmt.Errorf("write output: %w", err)
	}
	if err := out.commit(); err != nil {
		return stats, err
	}
	around.summary(stats)
	return stats, nil
}

func (c *runCmd) options(st *cli.State) (engine.Options, error) {
	o := engine.DefaultOptions()
	o.Mappers, o.Reducers = c.Mappers.or(o.Mappers), c.Reducers.or(o.Reducers)
	if c.WorkDir != "" {
		if fi, err := os.Stat(c.WorkDir); err != nil || !fi.IsDir() {
			return o, cli.Usage("--work-dir %s is not a folder", c.WorkDir)
		}
	}
	if st.Env("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(c.Memory) + heapBytes)
	}
	o.WorkDir, o.Memory, o.MaxErrors, o.MaxOutput, o.Log = c.WorkDir, int64(c.Memory), int64(c.MaxErrors), int64(c.MaxOutput), st.Log
	return o, nil
}

// openCache opens the map results that the data folder keeps; nil if there are
// none: not wanted, no data folder, or one that is not ours to write.
func (c *runCmd) openCache(st *cli.State, tree *layout.Tree) *cache.Dir {
	if c.NoCache || !tree.IsData() || c.Sample < 100 {
		return nil
	}
	dir := filepath.Join(c.DataDir, layout.MapResultsDir)
	if _, err := os.Stat(filepath.Dir(dir)); err != nil {
		return nil
	}
	results, err := cache.Open(dir, int64(c.CacheSize))
	if err != nil {
		st.Log.Debug("map results cannot be kept", "err", err)
		return nil
	}
	return results
}

// filter reads -f and --where.
func (c *runCmd) filter(ctx context.Context, limits script.Limits, console func(level, text string)) (*script.FilterScript, error) {
	f, err := loadFilter(ctx, c.InputFilter, limits, console)
	if err != nil {
		return nil, err
	}
	for _, w := range c.Where {
		dim, values, err := schema.ParseWhere(w)
		if err != nil {
			return nil, cli.Fail(cli.ExitUsage, err)
		}
		f.Selection = f.Selection.Where(dim, values)
	}
	return f, nil
}

// loadFilter reads the filter at a path, or the shipped one of that name; ""
// selects everything that is valid.
func loadFilter(ctx context.Context, name string, limits script.Limits, console func(level, text string)) (*script.FilterScript, error) {
	if name == "" {
		return script.NewDocumentFilter(schema.All()), nil
	}
	name, text, err := readNamed(name, filters.FS, ".json", ".js")
	if err != nil {
		return nil, err
	}
	if ext := filepath.Ext(name); ext == ".js" || ext == ".ts" {
		s, err := script.Compile(name, text)
		if err != nil {
			return nil, err
		}
		return script.NewFilterScript(ctx, s, limits, console)
	}
	f, err := schema.ParseFilter([]byte(text))
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, fmt.Errorf("filter %s: %w", name, err))
	}
	return script.NewDocumentFilter(f), nil
}

// explain gives an error its exit code, detail and hint.
func (c *runCmd) explain(st *cli.State, err error) error {
	out := &cli.Error{Err: err, Code: -1}
	if e, ok := errors.AsType[*script.Error](err); ok {
		out.Code, out.Detail = cli.ExitScript, e.Detail()
	}
	if _, ok := errors.AsType[*layout.CorruptError](err); ok {
		out.Code = cli.ExitCorrupt
		out.Hint = "tmserver check --data-dir " + c.DataDir + " says what else is damaged"
	}
	if errors.Is(err, script.ErrTimeout) || errors.Is(err, errTimeout) || errors.Is(err, engine.ErrOutputLimit) ||
		errors.Is(err, isolate.ErrMemory) || errors.Is(err, isolate.ErrKilled) {
		out.Code = cli.ExitLimit
	}
	switch {
	case errors.Is(err, isolate.ErrMemory):
		out.Hint = "--task-memory gives a task more"
	case errors.Is(err, engine.ErrOutputLimit):
		out.Hint = "--max-output allows more"
	}
	if e, ok := errors.AsType[*engine.PanicError](err); ok {
		out.Code, out.Hint = cli.ExitFailed, "please report it; "+debugVariable+"=1 prints the stack"
		if st != nil && st.Env(debugVariable) != "" {
			out.Detail, out.Hint = string(e.Stack), "please report it with this stack"
		}
	}
	if out.Code < 0 {
		return err
	}
	return out
}

// loadScript compiles the script at a path, or the shipped one with that name.
func loadScript(name string) (*script.Script, error) {
	path, text, err := readScript(name)
	if err != nil {
		return nil, err
	}
	return script.Compile(path, text)
}

// readScript reads the script at a path, or the shipped one with that name.
func readScript(name string) (path, text string, err error) {
	return readNamed(name, scripts.FS, ".js")
}

// readNamed reads a file, or the shipped one of that name, with or without its ending.
func readNamed(name string, shipped embed.FS, exts ...string) (path, text string, err error) {
	b, err := os.ReadFile(name)
	if err == nil {
		return name, string(b), nil
	}
	if !errors.Is(err, os.ErrNotExist) || strings.ContainsRune(name, filepath.Separator) {
		return "", "", cli.Fail(cli.ExitUsage, err)
	}
	for _, ext := range append([]string{""}, exts...) {
		if b, err := shipped.ReadFile(name + ext); err == nil {
			return name + ext, string(b), nil
		}
	}
	all := shippedNames(shipped, exts...)
	did := ""
	if near := suggest.Nearest(strings.TrimSuffix(name, filepath.Ext(name)), all); near != "" {
		did = "did you mean " + near + "? "
	}
	return "", "", cli.WithHint(cli.Usage("%s: no such file, and nothing of that name is shipped", name), did+"shipped are "+strings.Join(all, ", "))
}

// shippedNames are the names of the files, without their endings.
func shippedNames(files embed.FS, exts ...string) (all []string) {
	entries, _ := files.ReadDir(".") // of the program itself
	for _, e := range entries {
		name := e.Name()
		for _, ext := range exts {
			name = strings.TrimSuffix(name, ext)
		}
		all = append(all, name)
	}
	return all
}

// consoleTo sends console.log to stderr with the script's name.
func consoleTo(st *cli.State, name string) func(level, text string) {
	var mu sync.Mutex // one line at a time
	return func(level, text string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(st.Stderr, "%s: %s: %s\n", name, level, text)
	}
}
