package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/backup"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// restoreCmd brings back a data folder from a backup.
type restoreCmd struct {
	DataDir  string `short:"d" placeholder:"DIR" xor:"what" required:"" help:"Folder to restore into; made if missing."`
	List     bool   `xor:"what" required:"" help:"Only print the snapshots."`
	Snapshot string `default:"latest" placeholder:"N" help:"Number or name of the snapshot. Default: ${default}."`
	Force    bool   `help:"Restore into a folder in which there is something. Nothing there is overwritten; no server may be using it."`
	Verify   bool   `help:"Then check the data folder, as \"tmserver check\" does."`
	From     string `arg:"" name:"dir|url" help:"Folder, or URL of an object store, that has the backup."`
}

func (*restoreCmd) Help() string {
	return `Writes the files of a snapshot of "tmserver backup" into a folder, each compared with
its checksum. Then start a server on it, or run "tmserver convert": what the raw logs
have and the segments have not is published.

Until the restore is complete, no command opens the folder; after an interruption, run
the same command again. With --force, files that are there with another content stay
as they are, and are listed: conversion adds to what is published, and replaces nothing.

Deletion requests come from all snapshots of the backup: a client that was forgotten
after the snapshot was made stays forgotten. Run "tmserver forget apply" then.

  tmserver restore --data-dir DATA --verify /mnt/backup

EXIT STATUS: 0 done; 1 failed; 2 usage, or the folder is not empty; 3 done, but some
files were there with another content; 4 the backup is damaged, or what was restored is;
130 interrupted.`
}

func (c *restoreCmd) Run(ctx context.Context, st *cli.State) (err error) {
	// A mistyped name must not look like an empty backup.
	if _, err := os.Stat(c.From); err != nil && !backend.IsURL(c.From) {
		return cli.Named(err)
	}
	repository, err := backup.Open(c.From)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}
	defer func() { err = errors.Join(err, repository.Close()) }()
	if c.List {
		return listSnapshots(ctx, st, repository)
	}

	name, err := repository.Find(ctx, c.Snapshot)
	if errors.Is(err, backup.ErrNoSnapshot) {
		return cli.WithHint(cli.Fail(cli.ExitUsage, err), "tmserver restore --list prints the snapshots")
	}
	if err != nil {
		return err
	}
	snapshot, err := repository.Load(ctx, name)
	if err != nil {
		return withCorruptCode(err)
	}

	// Who was forgotten since must not come back.
	if err := repository.AddForgotten(ctx, snapshot); err != nil {
		st.Log.Warn("deletion requests of other snapshots are missing", "err", err)
	}

	done, err := repository.Restore(ctx, name, snapshot, c.DataDir, c.Force)
	if errors.Is(err, backup.ErrNotEmpty) {
		return cli.WithHint(cli.Fail(cli.ExitUsage, err), "choose another folder, or --force: then nothing there is overwritten")
	}
	if err != nil {
		return withCorruptCode(err)
	}
	// A snapshot has no empty folders, and a data folder needs some.
	data, err := layout.OpenDataWith(c.DataDir, diskHook)
	if err != nil {
		return err
	}
	forgotten, err := data.Forgotten(ctx)
	if err := errors.Join(err, data.Close()); err != nil {
		return err
	}

	for _, kept := range done.Kept {
		fmt.Fprintf(st.Stdout, "kept %s: it has another content\n", cli.Printable(kept))
	}
	fmt.Fprintf(st.Stdout, "restored snapshot %s: %d files, %s; %d were there\n", name, done.Files, megabytes(done.Bytes), done.There)

	if forgotten.Len() > 0 {
		fmt.Fprintf(st.Stdout, "%d clients are forgotten: jobs skip what the snapshot has of them; tmserver forget apply removes it\n", forgotten.Len())
	}

	if c.Verify {
		if err := c.verify(ctx, st); err != nil {
			return err
		}
	}
	if len(done.Kept) > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("%d files were there with another content", len(done.Kept)))
	}
	return nil
}

// listSnapshots prints a line for each snapshot.
func listSnapshots(ctx context.Context, st *cli.State, repository *backup.Repository) error {
	names, err := repository.Snapshots(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		snapshot, err := repository.Load(ctx, name)
		if err != nil {
			return withCorruptCode(err)
		}
		fmt.Fprintf(st.Stdout, "%s\t%d files\t%s\n", name, len(snapshot.Files), megabytes(snapshot.Bytes()))
	}
	return nil
}

// verify checks the segments of the restored data folder.
func (c *restoreCmd) verify(ctx context.Context, st *cli.State) error {
	tree, err := layout.OpenTree(c.DataDir)
	if err != nil {
		return err
	}
	defer tree.Close()

	stats, found, err := upkeep.Check(ctx, tree)
	if err != nil {
		return err
	}
	if damaged := printFindings(st.Stdout, found); damaged > 0 {
		return cli.Fail(cli.ExitCorrupt, fmt.Errorf("%d of %d segments are damaged", damaged, stats.Segments))
	}
	fmt.Fprintf(st.Stdout, "checked: %d segments, %d records\n", stats.Segments, stats.Records)
	return nil
}
