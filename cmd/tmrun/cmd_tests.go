package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// testCmd runs the tests beside scripts.
type testCmd struct {
	Scripts   []string `arg:"" predictor:"file" help:"Scripts; the cases of job.js are in job.test.js."`
	Update    bool     `help:"Write the files that cases name as their wanted output; review the difference."`
	DataDir   string   `short:"d" predictor:"folder" name:"data-dir" placeholder:"DIR" help:"A data folder whose histogram definitions the scripts see (default: those that a case names)."`
	callFlags `embed:""`
}

// Help is the long help.
func (c *testCmd) Help() string {
	return `Runs each case once and compares the output with the wanted one. Then it runs the
case in many ways that must not change the output: other segments, numbers of
workers, applications of combine, and another order of the records.

EXIT STATUS: 0 all cases pass; 1 a case fails; 2 usage, or there are no tests; 5 a
script or test file has an error.`
}

// Run implements the command.
func (c *testCmd) Run(ctx context.Context, st *cli.State) error {
	failed, total := 0, 0
	for _, name := range c.Scripts {
		failedHere, totalHere, err := c.testScript(ctx, st, name)
		if err != nil {
			return explainError(st, err, "")
		}
		failed += failedHere
		total += totalHere
	}

	if failed > 0 {
		return cli.Fail(cli.ExitFailed, fmt.Errorf("%d of %d tests failed", failed, total))
	}
	return nil
}

// testScript runs the cases of one script and prints their results.
func (c *testCmd) testScript(ctx context.Context, st *cli.State, name string) (failed, total int, err error) {
	s := newSession(st)
	defer s.close()

	// The script by its path: shipped scripts have no test file beside them.
	if err := s.allowCalls(&c.callFlags, c.DataDir); err != nil {
		return 0, 0, err
	}
	s.job.Console = consoleTo(st, name)
	s.job.Script, err = script.CompileFile(name)
	if err != nil {
		return 0, 0, cli.Named(err)
	}

	passes, err := loadPasses(s.job.Script)
	if err != nil {
		return 0, 0, err
	}

	// Its cases.
	ext := filepath.Ext(name)
	path := strings.TrimSuffix(name, ext) + ".test" + ext
	if _, err := os.Stat(path); err != nil {
		return 0, 0, cli.WithHint(cli.Usage("%s has no tests: %v", name, err), "tmrun new makes a script with a test")
	}

	cases, err := script.LoadTests(ctx, path, s.job.Limits, consoleTo(st, path))
	if err != nil {
		return 0, 0, err
	}

	for _, tc := range cases {
		// A case's own definitions replace those of the command.
		job := *s.job
		job.Limits.Fixed = tc.Definitions
		runs, problems := c.checkCase(ctx, &job, passes, tc)
		if ctx.Err() != nil { // interrupted: what check returned is no verdict
			return failed, total, context.Cause(ctx)
		}

		total++
		if len(problems) == 0 {
			fmt.Fprintf(st.Stdout, "ok    %s: %s (%d runs)\n", name, tc.Name, runs)
			continue
		}

		failed++
		fmt.Fprintf(st.Stdout, "FAIL  %s: %s\n", name, tc.Name)
		for _, problem := range problems {
			fmt.Fprintf(st.Stdout, "      %s\n", strings.ReplaceAll(problem, "\n", "\n      "))
		}
	}
	return failed, total, nil
}

// checkCase is check for a script that imports the rows of passes, over the case's records.
func (c *testCmd) checkCase(ctx context.Context, job *script.Job, passes []pass, tc script.TestCase) (runs int, problems []string) {
	rows, err := caseResults(ctx, job, passes, tc.Records)
	switch {
	case err != nil && tc.Throws != "" && strings.Contains(err.Error(), tc.Throws):
		return 1, nil
	case err != nil:
		return 1, []string{errorText(err)}
	}
	job.Script = rows.of(job.Script)
	return c.check(ctx, job, tc)
}

// check runs a case and returns what is wrong, one problem per law.
func (c *testCmd) check(ctx context.Context, job *script.Job, tc script.TestCase) (runs int, problems []string) {
	// The first run is what all others must equal, in the simplest setting.
	runs = 1
	base, err := runCase(ctx, job, oneSegment(tc.Records), 1, 1)
	switch {
	case tc.Throws != "" && err == nil:
		return runs, []string{fmt.Sprintf("it throws nothing, want an error with %q", tc.Throws)}
	case tc.Throws != "" && strings.Contains(err.Error(), tc.Throws):
		return runs, nil
	case err != nil:
		return runs, []string{errorText(err)}
	}

	// The wanted output is a file or rows.
	if tc.Golden != "" {
		problems = append(problems, c.compareGolden(ctx, job, tc)...)
	} else if difference := differ(base, wantedRows(tc), false); difference != "" {
		problems = append(problems, difference)
	}

	// Several runs try the same law; it is reported once.
	reported := map[string]bool{}
	for _, law := range laws(job, tc) {
		runs++

		rows, err := law.run(ctx)
		problem := ""
		if err != nil {
			problem = errorText(err)
		} else {
			problem = differ(rows, base, law.shuffled)
		}

		if problem != "" && !reported[law.name] {
			reported[law.name] = true
			problems = append(problems, "other output with "+law.name+": "+problem)
		}
	}
	return runs, problems
}

// wantedRows returns the rows that a case wants, as JSON values.
func wantedRows(tc script.TestCase) []any {
	rows := make([]any, len(tc.Want))
	for i, row := range tc.Want {
		rows[i] = parseJSON(row)
	}
	return rows
}

// compareGolden compares the output as text with the case's file, or writes that
// file.
func (c *testCmd) compareGolden(ctx context.Context, job engine.Job, tc script.TestCase) []string {
	var output bytes.Buffer
	err := runInto(ctx, job, oneSegment(tc.Records), 1, 1, format.NewTSV(&output))
	if err != nil {
		return []string{errorText(err)}
	}

	if c.Update {
		if err := os.WriteFile(tc.Golden, output.Bytes(), 0o666); err != nil {
			return []string{err.Error()}
		}
		return nil
	}

	wanted, err := os.ReadFile(tc.Golden)
	if err != nil {
		return []string{err.Error() + " (--update writes it)"}
	}
	return differentLine(tc.Golden, output.String(), string(wanted))
}

// differentLine describes the first line in which two texts differ; nil if they
// do not. A line that one of them lacks is "".
func differentLine(name, got, want string) []string {
	// A missing newline at the end is a difference too, so lines keep theirs.
	gotLines := strings.SplitAfter(got, "\n")
	wantLines := strings.SplitAfter(want, "\n")

	lineAt := func(lines []string, i int) string {
		if i < len(lines) {
			return lines[i]
		}
		return ""
	}

	for i := range max(len(gotLines), len(wantLines)) {
		g, w := lineAt(gotLines, i), lineAt(wantLines, i)
		if g != w {
			return []string{fmt.Sprintf("%s:%d: got %q, want %q", name, i+1, g, w)}
		}
	}
	return nil
}

// errorText is an error with its excerpt and stack, without a newline at its end.
func errorText(err error) string {
	e, ok := errors.AsType[*script.Error](err)
	if !ok {
		return err.Error()
	}
	text := err.Error() + "\n" + scriptDetail(e)
	if errors.Is(err, script.ErrNoDefinitions) {
		text += `hint: give the case definitions, such as { GC_MS: { kind: "exponential", high: 10000, n_buckets: 50 } } or "Histograms.json"; or name --data-dir or --revision-cache`
	}
	return strings.TrimRight(text, "\n")
}
