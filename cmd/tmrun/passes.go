package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/datafile"
)

// A script may import the rows of another job: import rows from "job:./first.js". That job
// is a pass of its own over the same records, before the script's.

// pass is a job whose rows are imported.
type pass struct {
	name   string // by which the importing scripts know its rows
	script *script.Script
}

// results are the rows of the passes that are done, by name: encoded as format.Rows does,
// and as scripts read them.
type results struct {
	encoded map[string][]byte
	files   map[string]*datafile.File
}

func newResults() results {
	return results{encoded: map[string][]byte{}, files: map[string]*datafile.File{}}
}

// add adds the rows of a pass.
func (r results) add(name string, rows []byte) error {
	file, err := datafile.NewResult(name, rows)
	if err != nil {
		return err
	}

	r.encoded[name] = rows
	r.files[name] = file
	return nil
}

// of returns a script with the results that it imports.
func (r results) of(s *script.Script) *script.Script {
	imported := map[string]*datafile.File{}
	for _, job := range s.Jobs {
		if file := r.files[job.Name]; file != nil {
			imported[job.Name] = file
		}
	}
	return s.WithResults(imported)
}

// loadPasses compiles the jobs whose rows a script imports, with those that they import,
// in an order in which they can run. Jobs that need each other's rows are an error.
func loadPasses(of *script.Script) ([]pass, error) {
	var passes []pass
	loaded := map[string]bool{}

	var load func(importing *script.Script, chain []bundle.JobImport) error
	load = func(importing *script.Script, chain []bundle.JobImport) error {
		for _, job := range importing.Jobs {
			at := slices.IndexFunc(chain, func(earlier bundle.JobImport) bool { return earlier.Path == job.Path })
			chain := append(slices.Clip(chain), job)
			if at >= 0 {
				return cycleError(importing, chain[at:])
			}

			// Several scripts may import one job: it runs once.
			if loaded[job.Path] {
				continue
			}
			loaded[job.Path] = true

			// What the job imports runs before it.
			compiled, err := loadScript(job.Name)
			if err != nil {
				return err
			}
			if err := load(compiled, chain); err != nil {
				return err
			}
			passes = append(passes, pass{job.Name, compiled})
		}
		return nil
	}

	// A shipped script has no path, but its name.
	path, err := filepath.Abs(of.Name)
	if _, statErr := os.Stat(path); err != nil || statErr != nil {
		path = strings.TrimSuffix(of.Name, filepath.Ext(of.Name))
	}
	err = load(of, []bundle.JobImport{{Name: of.Name, Path: path}})
	return passes, err
}

// cycleError is the error of jobs of which each imports the rows of the next.
func cycleError(importing *script.Script, cycle []bundle.JobImport) error {
	var names []string
	for _, job := range cycle {
		names = append(names, job.Name)
	}
	return &script.Error{File: importing.Name, Phase: "compile", Message: "jobs need each other's results: " + strings.Join(names, " imports ")}
}

// loadPasses compiles the jobs whose rows the session's script imports, and prints what
// tmrun check knows of them.
func (s *session) loadPasses(ctx context.Context) (err error) {
	if s.passes, err = loadPasses(s.job.Script); err != nil {
		return err
	}
	for _, pass := range s.passes {
		if err := s.warnOf(ctx, pass.script); err != nil {
			return err
		}
	}
	return nil
}

// runPasses runs the jobs whose rows the script imports, and hands these to it. It returns
// what the jobs did together.
func (c *runCmd) runPasses(ctx context.Context, s *session) (total engine.Stats, err error) {
	for i, pass := range s.passes {
		stats, rows, err := c.runPass(ctx, s, pass, i+1)
		total.Records += stats.Records
		total.Rejected += stats.Rejected
		total.Failed += stats.Failed
		if err == nil {
			err = s.results.add(pass.name, rows)
		}
		if err != nil {
			return total, err
		}
	}

	// Its own lint findings may depend on the rows, so they come only now.
	s.job.Script = s.results.of(s.job.Script)
	if err := s.warnLate(ctx, s.job.Script); err != nil {
		return total, err
	}

	if len(s.passes) > 0 {
		s.title = passTitle(len(s.passes)+1, len(s.passes)+1, s.job.Script.Name)
	}
	return total, nil
}

// warnLate is warnOf for a script that could not be checked before it had its results.
func (s *session) warnLate(ctx context.Context, checked *script.Script) error {
	if !slices.Contains(s.unchecked, checked.Name) {
		return nil
	}
	return s.warnOf(ctx, checked)
}

// passTitle names a pass in progress and summary.
func passTitle(number, of int, name string) string {
	return fmt.Sprintf("pass %d of %d, %s: ", number, of, name)
}

// runPass runs one job and returns its rows, as format.Rows encodes them.
func (c *runCmd) runPass(ctx context.Context, s *session, p pass, number int) (stats engine.Stats, rows []byte, err error) {
	// The same data, filter and flags; but its own script, counters and processes.
	job := *s.job
	job.Script = s.results.of(p.script)
	job.Console = consoleTo(s.st, p.script.Name)
	job.Counters = &script.Counters{}
	job.Table = ""
	own := &session{
		st: s.st, job: &job, engine: s.engine, work: &job, scriptPath: p.name, results: s.results, definitions: s.definitions,
		tree: s.tree, source: s.source, plan: s.plan, title: passTitle(number, len(s.passes)+1, p.name),
	}

	defer func() { s.failed.addCalls(own.failed.calls) }()
	defer own.close()

	if err := s.warnLate(ctx, job.Script); err != nil {
		return stats, nil, err
	}
	columns, err := passColumns(ctx, &job)
	if err != nil {
		return stats, nil, err
	}

	sink := format.NewRows(columns)

	// A pass may be sampled, isolated and cached as the job itself.
	if err := c.placeTasks(ctx, own); err != nil {
		return stats, nil, err
	}
	report, err := c.startReport(own, "")
	if err != nil {
		return stats, nil, err
	}
	defer report.stop()

	// The limit of the output is for what is written, not for this.
	own.engine.MaxOutput = 0
	stats, err = c.runTasks(ctx, own, sink)
	if errors.Is(err, format.ErrResultLimit) {
		err = cli.Fail(cli.ExitLimit, fmt.Errorf("%s: %w: more than %s", p.name, err, bytesText(format.MaxResultBytes)))
	}
	if err != nil {
		return stats, nil, err
	}

	report.summary(stats)
	return stats, sink.Encoded(), nil
}

// passColumns returns the names of the columns of a pass: those of its table, if it has one.
func passColumns(ctx context.Context, job *script.Job) ([]string, error) {
	set, err := job.Script.Tables(ctx, job.Limits)
	switch {
	case err != nil:
		return nil, err
	case set.Written():
		return nil, nil
	case len(set) > 1:
		return nil, cli.Usage("%s has the tables %s: only the rows of one can be imported", job.Script.Name, strings.Join(set.Names(), ", "))
	case len(set) == 1:
		return set[0].Columns(), nil
	}
	return job.Script.Columns(ctx, job.Limits)
}

// save writes the results to a new file in dir, for another process, and returns its name:
// two strings for each, as package datum encodes them.
func (r results) save(dir string) (name string, err error) {
	file, err := os.CreateTemp(dir, "tmrun-results-*")
	if err != nil {
		return "", fmt.Errorf("save results: %w", err)
	}

	_, err = file.Write(r.append(nil))
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(file.Name())
		return "", fmt.Errorf("save results: %w", err)
	}
	return file.Name(), nil
}

// append appends the content of a file of results.
func (r results) append(dst []byte) []byte {
	for _, name := range slices.Sorted(maps.Keys(r.encoded)) {
		dst = datum.AppendString(datum.AppendString(dst, name), r.encoded[name])
	}
	return dst
}

// readResults reads a file of results.
func readResults(name string) (results, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return results{}, fmt.Errorf("read results: %w", err)
	}

	read := newResults()
	for left := content; len(left) > 0; {
		key, rest, err := datum.Skip(left)
		if err != nil {
			return results{}, fmt.Errorf("read results %s: %w", name, err)
		}
		rows, rest, err := datum.Skip(rest)
		if err != nil {
			return results{}, fmt.Errorf("read results %s: %w", name, err)
		}

		if err := read.add(string(datum.Text(key)), slices.Clone(datum.Text(rows))); err != nil {
			return results{}, err
		}
		left = rest
	}
	return read, nil
}

// readResults hands the script what it imports of a file of results; "" is no file.
func (s *session) readResults(name string) (err error) {
	if name == "" {
		return nil
	}

	if s.results, err = readResults(name); err != nil {
		return err
	}
	s.job.Script = s.results.of(s.job.Script)
	return nil
}

// caseResults runs passes over the records of a test case, for a script that imports
// their rows.
func caseResults(ctx context.Context, job *script.Job, passes []pass, records []script.TestRecord) (results, error) {
	done := newResults()
	for _, pass := range passes {
		own := *job
		own.Script = done.of(pass.script)
		columns, err := own.Script.Columns(ctx, own.Limits)
		if err != nil {
			return done, err
		}

		rows := format.NewRows(columns)
		if err := runInto(ctx, &own, oneSegment(records), 1, 1, rows); err != nil {
			return done, err
		}
		if err := done.add(pass.name, rows.Encoded()); err != nil {
			return done, err
		}
	}
	return done, nil
}
