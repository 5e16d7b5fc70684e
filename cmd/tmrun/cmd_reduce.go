package main

import (
	"context"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
)

// reduceCmd runs one reduce task over standard input and output.
type reduceCmd struct {
	taskFlags
	Table string `placeholder:"NAME" help:"Write one table of the script (default: all; with several, each row begins with the name of its table)."`
	Shard int    `default:"0" help:"Number of the shard; what setupReduce writes appears for shard 0 only."`
}

// Help is the long help.
func (c *reduceCmd) Help() string {
	return `Reads what tmrun map has written, sorted as text, and writes the result as TSV.
Tables of the kind top need all lines of one key in one task.

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

	if err := c.chooseTable(ctx, s); err != nil {
		return err
	}

	// Rows are TSV here; a format with a head or a schema needs all shards.
	sink := format.NewTSV(s.st.Stdout)
	if _, err := engine.ReduceStream(ctx, s.job, c.Shard, s.st.Stdin, sink, s.engine); err != nil {
		return err
	}
	return sink.Close()
}

// chooseTable decides which tables are written.
func (c *reduceCmd) chooseTable(ctx context.Context, s *session) error {
	set, err := s.job.Script.Tables(ctx, s.job.Limits)
	if err != nil {
		return err
	}
	if c.Table != "" && set.Find(c.Table) < 0 {
		return cli.Usage("--table %s: the script has the tables %s", c.Table, strings.Join(set.Names(), ", "))
	}
	s.job.Table = c.Table
	return nil
}
