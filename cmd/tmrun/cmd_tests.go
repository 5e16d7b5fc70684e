package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// testCmd runs the tests that lie beside scripts.
type testCmd struct {
	Scripts     []string      `arg:"" predictor:"file" help:"Scripts; the cases of job.js are in job.test.js."`
	Update      bool          `help:"Write the files that cases name as their wanted output; review the difference."`
	CallTimeout time.Duration `name:"call-timeout" default:"30s" help:"What one call of a script's function may take; 0 is no limit."`
}

// Run implements the command. Each case is run once for its output, which must
// be the wanted one, then under every law (see laws).
//
// EXIT STATUS: 0 all cases pass; 1 one fails; 5 a script or test file has an
// error; 2 there are no tests.
func (c *testCmd) Run(ctx context.Context, st *cli.State) error {
	failed, total := 0, 0
	for _, name := range c.Scripts {
		f, n, err := c.file(ctx, st, name)
		if err != nil {
			return (&runCmd{}).explain(st, err)
		}
		failed, total = failed+f, total+n
	}
	if failed > 0 {
		return cli.Fail(cli.ExitFailed, fmt.Errorf("%d of %d tests failed", failed, total))
	}
	return nil
}

func (c *testCmd) file(ctx context.Context, st *cli.State, name string) (failed, total int, err error) {
	s, err := script.CompileFile(name)
	if err != nil {
		return 0, 0, err
	}
	limits := script.DefaultLimits()
	limits.Call = c.CallTimeout
	path := strings.TrimSuffix(name, filepath.Ext(name)) + ".test" + filepath.Ext(name)
	if _, err := os.Stat(path); err != nil {
		return 0, 0, cli.WithHint(cli.Usage("%s has no tests: %v", name, err), "tmrun new makes a script with a test")
	}
	cases, err := script.LoadTests(ctx, path, limits, consoleTo(st, path))
	if err != nil {
		return 0, 0, err
	}
	job := &script.Job{Script: s, Limits: limits, Console: consoleTo(st, name)}
	for _, tc := range cases {
		runs, problems := c.check(ctx, job, tc)
		if ctx.Err() != nil {
			return failed, total, context.Cause(ctx)
		}
		total++
		if len(problems) == 0 {
			fmt.Fprintf(st.Stdout, "ok    %s: %s (%d runs)\n", name, tc.Name, runs)
			continue
		}
		failed++
		fmt.Fprintf(st.Stdout, "FAIL  %s: %s\n", name, tc.Name)
		for _, p := range problems {
			fmt.Fprintf(st.Stdout, "      %s\n", strings.ReplaceAll(strings.TrimRight(p, "\n"), "\n", "\n      "))
		}
	}
	return failed, total, nil
}

// check runs a case and returns what is wrong, one problem per law.
func (c *testCmd) check(ctx context.Context, job *script.Job, tc script.TestCase) (runs int, problems []string) {
	runs = 1
	whole := segments(tc.Records, func(int) bool { return false })
	base, err := runCase(ctx, job, whole, 1, 1)
	switch {
	case tc.Throws != "" && err == nil:
		return runs, []string{fmt.Sprintf("it throws nothing, want an error with %q", tc.Throws)}
	case tc.Throws != "" && strings.Contains(err.Error(), tc.Throws):
		return runs, nil
	case err != nil:
		return runs, []string{errorText(err)}
	}
	if tc.Golden != "" {
		problems = append(problems, c.golden(ctx, job, tc)...)
	} else if d := differ(base, wanted(tc), false); d != "" {
		problems = append(problems, d)
	}
	seen := map[string]bool{}
	for _, l := range laws(job, tc) {
		runs++
		rows, err := l.run(ctx)
		d := ""
		if err != nil {
			d = errorText(err)
		} else {
			d = differ(rows, base, l.shuffled)
		}
		if d != "" && !seen[l.name] {
			seen[l.name] = true
			problems = append(problems, "other output with "+l.name+": "+d)
		}
	}
	return runs, problems
}

func wanted(tc script.TestCase) []any {
	rows := make([]any, len(tc.Want))
	for i, w := range tc.Want {
		rows[i] = parseJSON(w)
	}
	return rows
}

// golden compares the output as text with the case's file, or writes it.
func (c *testCmd) golden(ctx context.Context, job engine.Job, tc script.TestCase) []string {
	var buf bytes.Buffer
	if err := runInto(ctx, job, segments(tc.Records, func(int) bool { return false }), 1, 1, format.NewTSV(&buf)); err != nil {
		return []string{errorText(err)}
	}
	if c.Update {
		if err := os.WriteFile(tc.Golden, buf.Bytes(), 0o666); err != nil {
			return []string{err.Error()}
		}
		return nil
	}
	want, err := os.ReadFile(tc.Golden)
	if err != nil {
		return []string{err.Error() + " (--update writes it)"}
	}
	got, lines := strings.SplitAfter(buf.String(), "\n"), strings.SplitAfter(string(want), "\n")
	for i := range max(len(got), len(lines)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(lines) {
			w = lines[i]
		}
		if g != w {
			return []string{fmt.Sprintf("%s:%d: got %q, want %q", tc.Golden, i+1, g, w)}
		}
	}
	return nil
}

// errorText is an error with its excerpt and stack.
func errorText(err error) string {
	if e, ok := errors.AsType[*script.Error](err); ok {
		return err.Error() + "\n" + e.Detail()
	}
	return err.Error()
}
