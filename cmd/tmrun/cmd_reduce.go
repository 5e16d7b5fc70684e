package main

import (
	"context"
	"errors"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
)

// reduceCmd runs one reduce task over standard input and output.
type reduceCmd struct {
	taskFlags
	Table string `placeholder:"NAME" help:"Write one table of the script (default: all; with several, each row begins with the name of its table)."`
	Shard int    `default:"-1" placeholder:"N" help:"Number of this task, from 0, where several share the keys; what setupReduce writes appears for 0 only (default: one task has all keys)."`
	Pack  bool   `hidden:"" help:"Read packed pairs of a shard, and write packed rows."`
}

// errGrouped is returned for a shard other than 0 of keys whose rows wait for others.
var errGrouped = errors.New("rows of the script's tables are complete only with all keys: reduce them in one task, shard 0")

// Help is the long help.
func (c *reduceCmd) Help() string {
	return `Reads what tmrun map has written, sorted by bytes (LC_ALL=C sort), and writes the
result as TSV. Without --shard, pairs that are missing are an error. Several
tasks may share the keys if each has all lines of a key; but one task has to reduce
all keys of a script with reduceFinished, with a table of the kind top, or that
writes the rows of its tables itself.

EXIT STATUS: 0 done; 1 failed; 2 usage; 4 lines are malformed or missing; 5 the script
failed; 6 a limit was hit.`
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
	if c.Pack {
		return c.runPacked(ctx, s)
	}

	if err := c.begin(s, ""); err != nil {
		return err
	}
	if err := c.chooseTable(ctx, s); err != nil {
		return err
	}

	if c.Shard > 0 && s.tables.Grouped() {
		return cli.Fail(cli.ExitUsage, errGrouped)
	}

	columns, err := c.columns(ctx, s)
	if err != nil {
		return err
	}

	// Rows are TSV here; a format with a schema needs all shards.
	sink, err := format.New("tsv", s.st.Stdout, columns, s.engine.WorkDir)
	if err != nil {
		return cli.Fail(cli.ExitScript, err)
	}

	stats, err := engine.ReducePairs(ctx, s.job, max(0, c.Shard), c.Shard < 0, s.st.Stdin, sink, s.engine)
	if err != nil {
		return err
	}

	if err := sink.Close(); err != nil {
		return err
	}
	taskCounts{"keys": stats.Keys, "rows": stats.Rows, "failed": stats.Failed}.print(s)
	return nil
}

// chooseTable decides which tables are written.
func (c *reduceCmd) chooseTable(ctx context.Context, s *session) (err error) {
	s.tables, err = s.job.Script.Tables(ctx, s.job.Limits)
	if err != nil {
		return err
	}

	if c.Table != "" && s.tables.Find(c.Table) < 0 {
		return cli.Usage("--table %s: the script has the tables %s", c.Table, strings.Join(s.tables.Names(), ", "))
	}
	s.job.Table = c.Table
	return nil
}

// columns returns the names that stand above the rows, nil for none: as tmrun writes them.
// The rows of several tables have no common columns.
func (c *reduceCmd) columns(ctx context.Context, s *session) ([]string, error) {
	switch {
	case c.Shard > 0:
		return nil, nil
	case s.tables == nil, s.tables.Written():
		return s.job.Script.Columns(ctx, s.job.Limits)
	case len(s.tables) > 1 && c.Table == "":
		return nil, nil
	}

	// One table has the header that its kind says.
	if table := s.tables[max(0, s.tables.Find(c.Table))]; table.Header {
		return table.Columns(), nil
	}
	return nil, nil
}
