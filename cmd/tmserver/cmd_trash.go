package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// trashCmd is what people do with the segments that retention removed.
type trashCmd struct {
	Ls      trashListCmd    `cmd:"" help:"List the runs of retention whose segments are in the trash."`
	Restore trashRestoreCmd `cmd:"" help:"Put the segments of a run back."`
	Empty   trashEmptyCmd   `cmd:"" help:"Delete the segments of a run for good."`
}

// trashFlags say which trash.
type trashFlags struct {
	DataDir string `required:"" short:"d" placeholder:"DIR|URL" help:"Data folder, or the object store that segments are published to."`
}

// runArgs are the runs that a command is for.
type runArgs struct {
	Runs []string `arg:"" name:"run" help:"Runs, as \"tmserver trash ls\" lists them."`
}

// withMissingCode gives a run that is not in the trash its exit code.
func withMissingCode(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return cli.WithHint(cli.Fail(cli.ExitUsage, err), "tmserver trash ls lists the runs")
	}
	return withBusyHint(err)
}

// trashListCmd lists the trash.
type trashListCmd struct {
	trashFlags `embed:""`
}

func (*trashListCmd) Help() string {
	return `Prints a line for each run of retention, oldest first: its name, its time, how many
files it removed, and their size. The folder state/trash/RUN of a data folder can be
read as a data folder: tmrun --data-dir DATA/state/trash/RUN.

EXIT STATUS: 0 done; 1 failed; 2 usage; 130 interrupted.`
}

func (c *trashListCmd) Run(ctx context.Context, st *cli.State) error {
	place, err := openPlace(c.DataDir)
	if err != nil {
		return err
	}
	defer place.Close()

	runs, err := upkeep.ListTrash(ctx, place)
	if err != nil {
		return err
	}
	for _, run := range runs {
		fmt.Fprintf(st.Stdout, "%s\t%s\t%d files\t%s\n", cli.Printable(run.Name), run.Time.Format(time.RFC3339), run.Files, megabytes(run.Bytes))
	}
	return nil
}

// trashRestoreCmd restores from the trash.
type trashRestoreCmd struct {
	trashFlags `embed:""`
	runArgs    `embed:""`
}

func (*trashRestoreCmd) Help() string {
	return `Puts the segments of the runs back where they were. A segment whose place another
one has by now stays in the trash. What is older than the server's --keep is removed
again by its next retention: restart it with another --keep first.

EXIT STATUS: 0 done; 1 failed, or a compaction runs; 2 usage, or no such run; 3 done,
but some segments stay in the trash; 130 interrupted.`
}

func (c *trashRestoreCmd) Run(ctx context.Context, st *cli.State) error {
	place, err := openPlace(c.DataDir)
	if err != nil {
		return err
	}
	defer place.Close()

	stay := 0
	for _, run := range c.Runs {
		restored, taken, err := place.Restore(ctx, run)
		if err != nil {
			return withMissingCode(err)
		}

		fmt.Fprintf(st.Stdout, "restored %d files of %s\n", restored, run)
		for _, name := range taken {
			fmt.Fprintf(st.Stdout, "stays in the trash: %s/%s/%s\n", layout.TrashDir, run, name)
		}
		stay += len(taken)
	}

	if stay > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("the places of %d files are taken", stay))
	}
	return nil
}

// trashEmptyCmd empties the trash.
type trashEmptyCmd struct {
	trashFlags `embed:""`
	runArgs    `embed:""`
}

func (*trashEmptyCmd) Help() string {
	return `Deletes the segments of the runs for good, before their time in the trash is over.

EXIT STATUS: 0 done; 1 failed, or a compaction runs; 2 usage, or no such run; 130
interrupted.`
}

func (c *trashEmptyCmd) Run(ctx context.Context, st *cli.State) error {
	place, err := openPlace(c.DataDir)
	if err != nil {
		return err
	}
	defer place.Close()

	for _, run := range c.Runs {
		deleted, err := place.Empty(ctx, run)
		if err != nil {
			return withMissingCode(err)
		}
		fmt.Fprintf(st.Stdout, "deleted %d files of %s\n", deleted, run)
	}
	return nil
}
