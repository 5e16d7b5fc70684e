package main

import (
	"context"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
)

// reduceCmd runs one reduce task over standard input and output.
type reduceCmd struct {
	taskFlags
	Shard int `default:"0" help:"Number of the shard; what setupReduce writes appears for shard 0 only."`
}

// Help is the long help.
func (c *reduceCmd) Help() string {
	return `Reads what tmrun map has written, sorted as text, and writes the result as tsv.

EXIT STATUS: 0 done; 1 failed; 2 usage; 5 script error; 6 limit hit.`
}

// Run implements the command.
func (c *reduceCmd) Run(ctx context.Context, st *cli.State) error {
	return (&runCmd{}).explain(st, c.run(ctx, st))
}

func (c *reduceCmd) run(ctx context.Context, st *cli.State) error {
	job, o, err := c.begin(st)
	if err != nil {
		return err
	}
	sink := format.NewTSV(st.Stdout)
	if _, err := engine.ReduceStream(ctx, job, c.Shard, st.Stdin, sink, o); err != nil {
		return err
	}
	return sink.Close()
}
