package main

import (
	"context"
	"fmt"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// mapCmd runs one map task over standard input and output.
type mapCmd struct {
	taskFlags
	InputFilter string `short:"f" predictor:"filter" name:"input-filter" placeholder:"FILE" help:"Filter whose match judges each record."`
	Dims        string `placeholder:"R/A/C/V/B/D" default:"UNKNOWN/UNKNOWN/UNKNOWN/UNKNOWN/UNKNOWN/UNKNOWN" help:"The dimensions of the records: reason/app/channel/version/build/date."`
	Dedup       string `hidden:"" enum:"none,latest" default:"none"`
	Segment     string `default:"stdin" help:"What messages call the input."`
}

// Help is the long help.
func (c *mapCmd) Help() string {
	return `Reads lines "<id> TAB <json>" and writes lines "hex(key) TAB base64(value)",
combined, sorted by key within runs. Sorted as text (stably, in the order of the
tasks) they are what tmrun reduce reads: the contract of Hadoop streaming.
A task sees one segment, so there is no --dedup: only tmrun itself has it.

EXIT STATUS: 0 done; 1 failed; 2 usage; 5 script error; 6 limit hit.`
}

// Run implements the command.
func (c *mapCmd) Run(ctx context.Context, st *cli.State) error {
	return (&runCmd{}).explain(st, c.run(ctx, st))
}

func (c *mapCmd) run(ctx context.Context, st *cli.State) error {
	if c.Dedup != "none" {
		return cli.WithHint(cli.Usage("--dedup %s: a task sees one segment, and the later submission of a document may be in any other", c.Dedup),
			"tmrun --dedup latest looks at all of them first")
	}
	dims, err := schema.ParseDims(c.Dims)
	if err != nil {
		return cli.Fail(cli.ExitUsage, fmt.Errorf("--dims: %w", err))
	}
	job, o, err := c.begin(st)
	if err != nil {
		return err
	}
	if job.Filter, err = loadFilter(ctx, c.InputFilter, job.Limits, job.Console); err != nil {
		return err
	}
	t := engine.Task{Segment: engine.Segment{Segment: layout.Segment{Path: c.Segment, Dims: dims}}, Hi: -1}
	_, err = engine.MapStream(ctx, job, t, st.Stdin, st.Stdout, o)
	return err
}
