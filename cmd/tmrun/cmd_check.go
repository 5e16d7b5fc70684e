package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/lint"
)

// checkCmd says what is wrong with scripts before they run.
type checkCmd struct {
	Scripts []string `arg:"" predictor:"script" help:"Scripts: paths, or names of shipped ones."`
	Strict  bool     `help:"Take warnings for errors."`
}

// Run implements the command: a line per finding, on stdout.
//
// EXIT STATUS: 0 nothing is wrong, but there may be warnings; 5 there are errors.
func (c *checkCmd) Run(ctx context.Context, st *cli.State) error {
	bad := 0
	for _, name := range c.Scripts {
		path, text, err := readScript(name)
		if err != nil {
			return err
		}
		findings, err := lint.Check(ctx, path, text, script.DefaultLimits())
		if err != nil {
			return err
		}
		for _, f := range findings {
			fmt.Fprintf(st.Stdout, "%v\n%s", f.Err, f.Err.Detail())
			if f.Severe || c.Strict {
				bad++
			}
		}
	}
	if bad > 0 {
		return cli.Fail(cli.ExitScript, errors.New(counted(bad, "error")))
	}
	return nil
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
