package main

import (
	"context"
	"fmt"
	"io"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// checkCmd verifies what is stored.
type checkCmd struct {
	DataDir string `required:"" short:"d" placeholder:"DIR|URL" help:"Data folder, also in an object store; without --repair any partition tree."`
	Repair  bool   `help:"Move damaged files to state/damaged, publish what can be read of them, finish interrupted publications."`
}

func (*checkCmd) Help() string {
	return `Reads every segment, those of the quarantine too, and verifies names, frames,
checksums, counts, ID indexes and lines. Prints one line for each finding,

  DAMAGED <file>: damaged at byte <n>: <what>
  odd <file>: <what>

then how much was read. Raw logs are not checked: conversion does that.

EXIT STATUS: 0 nothing was found; 1 failed; 2 usage; 3 nothing is damaged, but there
are stray files or interrupted publications; 4 something is damaged, also if it was
repaired; 130 interrupted.`
}

func (c *checkCmd) Run(ctx context.Context, st *cli.State) error {
	stats, found, err := c.check(ctx)
	if err != nil {
		return withBusyHint(err)
	}

	damaged := printFindings(st.Stdout, found)
	fmt.Fprintf(st.Stdout, "%d segments, %d records, %s, %s on disk; %d damaged, %d odd\n",
		stats.Segments, stats.Records, megabytes(stats.RawBytes), megabytes(stats.Bytes), damaged, len(found)-damaged)

	// Damage is an error even after a repair; odd files are an error until they are repaired.
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

// check verifies, and with --repair repairs, the tree.
func (c *checkCmd) check(ctx context.Context) (upkeep.CheckStats, []upkeep.Finding, error) {
	tree, err := layout.OpenTree(c.DataDir)
	if err != nil {
		return upkeep.CheckStats{}, nil, cli.Fail(cli.ExitUsage, err)
	}
	defer tree.Close()

	if c.Repair && !tree.IsData() {
		return upkeep.CheckStats{}, nil, cli.Usage("--repair %s: not a data folder", c.DataDir)
	}

	// A partition tree, or an object store, is only read.
	if !c.Repair && (!tree.IsData() || layout.IsURL(c.DataDir)) {
		return upkeep.Check(ctx, tree)
	}

	place, err := openPlace(c.DataDir)
	if err != nil {
		return upkeep.CheckStats{}, nil, err
	}
	defer place.Close()
	return place.Check(ctx, c.Repair)
}

// printFindings prints a line for each finding and returns how many are damage.
func printFindings(w io.Writer, found []upkeep.Finding) (damaged int) {
	for _, finding := range found {
		kind := "odd " + finding.Path + ":"
		if finding.Damage() { // whose error begins with the path
			kind = "DAMAGED"
			damaged++
		}

		repaired := ""
		if finding.Repaired != "" {
			repaired = "; " + finding.Repaired
		}
		fmt.Fprintf(w, "%s %v%s\n", kind, finding.Err, repaired)
	}
	return damaged
}
