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
	InputFilter string `short:"f" predictor:"filter" name:"input-filter" placeholder:"FILE" help:"Filter whose match decides each record."`
	Dims        string `placeholder:"R/A/C/V/B/D" default:"UNKNOWN/UNKNOWN/UNKNOWN/UNKNOWN/UNKNOWN/UNKNOWN" help:"The dimensions of the records: reason/app/channel/version/build/date."`
	Dedup       string `hidden:"" enum:"none,latest" default:"none"`
	Segment     string `default:"stdin" help:"The name of the input in messages."`
}

// Help is the long help.
func (c *mapCmd) Help() string {
	return `Reads lines "<id> TAB <json>" and writes lines "hex(key) TAB base64(value)",
combined, sorted by key within runs. Sort them as text (stably, in the order of
the tasks) and tmrun reduce reads them: the contract of Hadoop streaming.
There is no --dedup here, because a task sees one segment only.

EXIT STATUS: 0 done; 1 failed; 2 usage; 5 the script failed; 6 a limit was hit.`
}

// Run implements the command.
func (c *mapCmd) Run(ctx context.Context, st *cli.State) error {
	s := newSession(st)
	defer s.close()
	if err := c.run(ctx, s); err != nil {
		return explainError(st, err, "")
	}
	return nil
}

func (c *mapCmd) run(ctx context.Context, s *session) error {
	// The flag exists for its error: people pass tmrun's flags on to tasks.
	if c.Dedup != "none" {
		return cli.WithHint(cli.Usage("--dedup %s: a task sees one segment, and the later submission of a document may be in any other", c.Dedup),
			"tmrun --dedup latest looks at all of them first")
	}

	dims, err := schema.ParseDims(c.Dims)
	if err != nil {
		return cli.Fail(cli.ExitUsage, fmt.Errorf("--dims: %w", err))
	}

	if err := c.begin(s); err != nil {
		return err
	}
	if err := s.loadFilter(ctx, c.InputFilter); err != nil {
		return err
	}

	// The stream is the whole segment: Hi is open.
	segment := engine.Segment{Segment: layout.Segment{Path: c.Segment, Dims: dims}}
	_, err = engine.MapStream(ctx, s.job, engine.Task{Segment: segment, Hi: -1}, s.st.Stdin, s.st.Stdout, s.engine)
	return err
}
