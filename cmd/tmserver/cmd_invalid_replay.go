package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/quarantine"
)

// invalidReplayCmd converts the quarantine again.
type invalidReplayCmd struct {
	quarantineFlags `embed:""`
	DryRun          bool `help:"Only print what would become of them."`
	// PublishTo is an error if it is set. It is a flag only to be noticed: a server
	// may have it in the environment.
	PublishTo string `hidden:"" env:"TMSERVER_PUBLISH_TO" placeholder:"URL"`

	revisionFlags `embed:""`
	filterFlags   `embed:""`
	repeatFlags   `embed:""`
}

func (*invalidReplayCmd) Help() string {
	return `Publishes the submissions that can be converted now, with the date of their
receipt, and removes them from the quarantine; the others stay. What was published
before, from another raw log or by an earlier replay, is removed and counted as
repeated (--drop-repeats). They are published
in the data folder: with --publish-to or TMSERVER_PUBLISH_TO the command fails.

With --filters, the filter decides about all of them, as it is now. Without it, what
a filter has quarantined stays, unless --class ingest_filter or ingest_filter_error
selects it; then it is published. What was longer than --kafka-max-body stays unless
--class too_large selects it; then it is published if the quarantine has all of it.
What ended the process that converted it stays unless --class ended_process selects
it; if it does so again, this command ends and the quarantine is as before.

EXIT STATUS: 0 done; 1 failed; 2 usage; 3 done, but some were rejected again; 4 a
file of the quarantine, or the index of definitions, is damaged; 5 the filter does
not load; 130 interrupted.`
}

func (c *invalidReplayCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if c.PublishTo != "" {
		return cli.Usage("--publish-to %s (or TMSERVER_PUBLISH_TO): the quarantine is published in the data folder, and nowhere else", c.PublishTo)
	}
	if err := requireDataFolder(c.DataDir); err != nil {
		return err
	}
	if err := c.checkClass(); err != nil {
		return err
	}
	flags := dataFolderFlags{revisionFlags: c.revisionFlags, filterFlags: c.filterFlags, repeatFlags: c.repeatFlags}
	folder, err := flags.openDataFolder(ctx, st, c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	conversion, err := folder.newWorker(nil, nil).Conversion()
	if err != nil {
		return err
	}

	replayed, err := quarantine.Replay(ctx, folder.Data, conversion, c.Class, c.DryRun)
	if err != nil {
		return withCorruptCode(err)
	}
	return c.report(st.Stdout, replayed)
}

// report prints what became of the submissions. The error says that some were
// rejected again.
func (c *invalidReplayCmd) report(w io.Writer, replayed quarantine.Replayed) error {
	verb := "converted"
	if c.DryRun {
		verb = "would convert"
	}
	fmt.Fprintf(w, "%s %d of %d submissions\n", verb, replayed.Records, replayed.Tried)

	rejected := int64(0)
	for _, class := range slices.Sorted(maps.Keys(replayed.Quarantined)) {
		fmt.Fprintf(w, "still %s: %d\n", class, replayed.Quarantined[class])
		rejected += replayed.Quarantined[class]
	}
	for _, reason := range slices.Sorted(maps.Keys(replayed.Dropped)) {
		fmt.Fprintf(w, "filtered %s: %d\n", cli.Printable(reason), replayed.Dropped[reason])
	}
	if replayed.Forgotten > 0 {
		fmt.Fprintf(w, "forgotten, because their client asked for it: %d\n", replayed.Forgotten)
	}
	if replayed.Repeated > 0 {
		fmt.Fprintf(w, "repeated: %d\n", replayed.Repeated)
	}
	if replayed.Waiting > 0 {
		fmt.Fprintf(w, "of these, without definitions for now: %d\n", replayed.Waiting)
	}

	if rejected > 0 {
		return rejectedError(rejected, "submissions")
	}
	return nil
}
