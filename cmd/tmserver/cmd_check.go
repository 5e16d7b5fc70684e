package main

import (
	"context"
	"fmt"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// checkCmd verifies what is stored.
type checkCmd struct {
	DataDir string `required:"" short:"d" placeholder:"DIR|URL" help:"Data folder, also in an object store; without --repair any partition tree."`
	Repair  bool   `help:"Move damaged files to state/damaged, keep in their place what can be read, finish interrupted publications."`
}

func (*checkCmd) Help() string {
	return `Reads every segment, quarantined ones too, and verifies names, frames, checksums,
counts, ID indexes and lines. Prints one line for each finding:

  DAMAGED <file>: damaged at byte <n>: <what>
  odd <file>: <what>

then what was read. Raw logs are not checked: converting does that.

EXIT STATUS: 0 everything is well; 1 failed; 2 usage; 3 nothing is damaged, but
there are stray files or interrupted publications; 4 something is damaged, also
when it could be repaired.`
}

func (c *checkCmd) Run(ctx context.Context, st *cli.State) error {
	stats, found, err := c.check(ctx)
	if err != nil {
		return busy(err)
	}
	damaged := 0
	for _, f := range found {
		kind := "odd " + f.Path + ":"
		if f.Damage() {
			kind = "DAMAGED"
			damaged++
		}
		if f.Repaired != "" {
			fmt.Fprintf(st.Stdout, "%s %v; %s\n", kind, f.Err, f.Repaired)
		} else {
			fmt.Fprintf(st.Stdout, "%s %v\n", kind, f.Err)
		}
	}
	fmt.Fprintf(st.Stdout, "%d segments, %d records, %s, %s on disk; %d damaged, %d odd\n",
		stats.Segments, stats.Records, megabytes(stats.RawBytes), megabytes(stats.Bytes), damaged, len(found)-damaged)
	switch {
	case damaged > 0 && c.Repair:
		return cli.Fail(cli.ExitCorrupt, fmt.Errorf("%d of %d segments were damaged", damaged, stats.Segments))
	case damaged > 0:
		return cli.WithHint(cli.Fail(cli.ExitCorrupt, fmt.Errorf("%d of %d segments are damaged", damaged, stats.Segments)),
			"--repair keeps what can be read")
	case len(found) > 0 && !c.Repair:
		return cli.Fail(cli.ExitRejected, fmt.Errorf("%d files are not as they should be", len(found)))
	}
	return nil
}

func (c *checkCmd) check(ctx context.Context) (upkeep.CheckStats, []upkeep.Finding, error) {
	tree, err := layout.OpenTree(c.DataDir)
	if err != nil {
		return upkeep.CheckStats{}, nil, cli.Fail(cli.ExitUsage, err)
	}
	defer tree.Close()
	if !c.Repair && (!tree.IsData() || layout.IsURL(c.DataDir)) {
		return upkeep.Check(ctx, tree)
	}
	if !tree.IsData() {
		return upkeep.CheckStats{}, nil, cli.Usage("--repair %s: not a data folder", c.DataDir)
	}
	place, err := openPlace(c.DataDir)
	if err != nil {
		return upkeep.CheckStats{}, nil, err
	}
	defer place.Close()
	return place.Check(ctx, c.Repair)
}
