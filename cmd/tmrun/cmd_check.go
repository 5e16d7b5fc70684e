package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/lint"
)

// checkCmd finds mistakes in scripts before they run.
type checkCmd struct {
	Scripts []string `arg:"" predictor:"script" help:"Scripts: paths, or names of shipped ones."`
	Strict  bool     `help:"Count warnings as errors."`
}

// Help is the long help.
func (c *checkCmd) Help() string {
	return `Prints the mistakes in jobs, filters and ingest filters on standard output, each
with its place and an excerpt.

EXIT STATUS: 0 no errors, but there may be warnings; 2 usage; 5 there are errors.`
}

// Run implements the command.
func (c *checkCmd) Run(ctx context.Context, st *cli.State) error {
	errorCount := 0

	for _, name := range c.Scripts {
		path, text, err := readScript(name)
		if err != nil {
			return err
		}

		findings, err := lint.Check(ctx, path, text, script.DefaultLimits(), nil)
		if err != nil {
			return err
		}

		// The jobs whose rows it imports must compile, too.
		if compiled, err := script.Compile(path, text); err == nil && len(compiled.Jobs) > 0 {
			_, err := loadPasses(compiled)
			if failed, ok := errors.AsType[*script.Error](err); ok {
				findings = append(findings, lint.Finding{Err: failed, Severe: true})
			} else if err != nil {
				return err
			}
		}

		// A finding begins with its place, so that editors jump to it.
		for _, finding := range findings {
			fmt.Fprintf(st.Stdout, "%v\n%s", finding.Err, finding.Err.Detail())
			if finding.Severe || c.Strict {
				errorCount++
			}
		}
	}

	if errorCount > 0 {
		return cli.Fail(cli.ExitScript, errors.New(counted(errorCount, "error")))
	}
	return nil
}
