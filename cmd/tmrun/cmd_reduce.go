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
	return `Reads what tmrun map has written, sorted as text, and writes the result as TSV.

EXIT STATUS: 0 done; 1 failed; 2 usage; 5 the script failed; 6 a limit was hit.`
}

// Run implements the command.
func (c *reduceCmd) Run(ctx context.Context, st *cli.State) error {
	s := newSession(st)
	defer s.close()
	if err := c.run(ctx, s); err != nil {
		return explainError(st, err, "")
	}
	return nil
}

func (c *reduceCmd) run(ctx context.Context, s *session) error {
	if err := c.begin(s); err != nil {
		return err
	}

	// Rows are TSV here; a format with a head or a schema needs all shards.
	sink := format.NewTSV(s.st.Stdout)
	if _, err := engine.ReduceStream(ctx, s.job, c.Shard, s.st.Stdin, sink, s.engine); err != nil {
		return err
	}
	return sink.Close()
}
