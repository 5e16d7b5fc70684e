package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backup"
)

// backupCmd copies a data folder into a backup.
type backupCmd struct {
	DataDir string `required:"" short:"d" placeholder:"DIR" help:"Data folder to copy; a server may be using it."`
	Keep    int    `placeholder:"N" help:"Then remove all snapshots but the newest N, and what only they had. Default: keep all."`
	Verify  bool   `help:"Then read every file of the snapshot back, and compare it with its checksum."`
	To      string `arg:"" name:"dir|url" help:"Folder, or URL of an object store, that has the backup; made if missing."`
}

func (*backupCmd) Help() string {
	return `Copies a data folder beside a running server: raw logs, segments, quarantine,
definitions, statistics, the index of repeats and damaged originals. Everything that
was acknowledged before the command began is in the snapshot. Only what is new is
copied, so make one often. "tmserver restore" brings one back.

Segments that serve --publish-to sends to an object store are not in the data folder:
let the store keep its versions. Use a backup for one data folder only, and make one
snapshot at a time. Commands and conversions wait for a moment while the raw logs are
listed; compaction goes on.

  tmserver backup --data-dir DATA --keep 30 /mnt/backup

EXIT STATUS: 0 done; 1 failed, or another backup runs; 2 usage; 3 done, but a helper
file is left out because it was in use; 4 the backup is damaged; 130 interrupted.`
}

func (c *backupCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if c.Keep < 0 {
		return cli.Usage("--keep %d: want at least 1", c.Keep)
	}
	if err := requireDataFolder(c.DataDir); err != nil {
		return err
	}

	data, err := layout.OpenDataWith(c.DataDir, diskHook)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	data.LogTo(st.Log)
	repository, err := backup.Open(c.To)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}
	defer func() { err = errors.Join(err, repository.Close()) }()

	done, err := repository.Backup(ctx, data, backup.Options{Whole: rawlog.WholeBytes, Log: st.Log, Now: st.Now()})
	if errors.Is(err, layout.ErrBusy) {
		return cli.WithHint(err, "another backup of this data folder is at work")
	}
	if err != nil {
		return withCorruptCode(err)
	}
	fmt.Fprintf(st.Stdout, "snapshot %s saved: %d files, %s; %d new, %s\n",
		done.Snapshot, done.Files, megabytes(done.Bytes), done.Copied, megabytes(done.New))

	if err := c.verify(ctx, st, repository, done.Snapshot); err != nil {
		return err
	}
	if c.Keep > 0 {
		snapshots, objects, err := repository.Prune(ctx, c.Keep)
		if err != nil {
			return withCorruptCode(err)
		}
		fmt.Fprintf(st.Stdout, "removed %d snapshots, and %d files that only they had\n", snapshots, objects)
	}

	if len(done.LeftOut) > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("without %v: another process had it open all the time", done.LeftOut))
	}
	return nil
}

// verify reads the snapshot back, with --verify.
func (c *backupCmd) verify(ctx context.Context, st *cli.State, repository *backup.Repository, name string) error {
	if !c.Verify {
		return nil
	}

	snapshot, err := repository.Load(ctx, name)
	if err != nil {
		return withCorruptCode(err)
	}
	damaged, err := repository.Verify(ctx, snapshot)
	if err != nil {
		return err
	}
	for _, one := range damaged {
		fmt.Fprintf(st.Stdout, "DAMAGED %v\n", one)
	}
	if len(damaged) > 0 {
		err := fmt.Errorf("%d of %d files of the snapshot are damaged", len(damaged), len(snapshot.Files))
		return cli.WithHint(cli.Fail(cli.ExitCorrupt, err), "move them away, and the next backup copies them again")
	}
	fmt.Fprintf(st.Stdout, "verified: every file has its checksum\n")
	return nil
}
