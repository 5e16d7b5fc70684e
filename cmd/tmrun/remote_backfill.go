package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// backfillTick is how often a backfill is looked at.
const backfillTick = time.Second

// parseRange reads --backfill.
func (c *runCmd) parseRange() (days api.Range, err error) {
	from, to, isRange := strings.Cut(c.Backfill, "..")
	if !isRange {
		to = from
	}
	days = api.Range{From: schema.Date(from), To: schema.Date(to)}
	for _, day := range []string{from, to} {
		if _, err := schema.ParseDate(day); err != nil {
			return days, cli.Usage("--backfill %s: %v", c.Backfill, err)
		}
	}

	// A backfill is that of the script as the server has it.
	for flag, set := range map[string]bool{
		"--where": len(c.Where) > 0, "--input-filter": c.InputFilter != "", "--output": c.Output != "", "--table": c.Table != "", "--format": c.Format != "",
		"--sample": c.Sample < 100, "--sample-clients": c.SampleClients < 100, "--dedup": c.Dedup != "none", "--max-errors": c.MaxErrors != 0,
	} {
		if set {
			return days, cli.Usage("%s cannot be used with --backfill", flag)
		}
	}
	return days, nil
}

// runBackfill starts a backfill of a script in the server's folder, or follows one of the same
// days that goes on, and writes how each result differs from the one before.
func (c *runCmd) runBackfill(ctx context.Context, st *cli.State, client *jobClient) error {
	days, err := c.parseRange()
	if err != nil {
		return err
	}
	name := filepath.Base(c.Script)
	path := "scripts/" + url.PathEscape(name)
	if err := c.isOnServer(ctx, client, path); err != nil {
		return err
	}

	var found api.Backfilled
	if err := client.getJSON(ctx, path+"/backfill", &found); err != nil {
		return err
	}
	if found.Backfill == nil || found.Backfill.State.Ended() || found.Backfill.Range != days {
		body, err := json.Marshal(days)
		if err != nil {
			return err
		}
		answer, err := client.do(ctx, "POST", path+"/backfill", body)
		if err != nil {
			return err
		}
		answer.Close()
	}

	// The server goes on without this process, also after a restart of its own.
	shown := map[schema.Date]bool{}
	for tries := 0; ; {
		err := client.getJSON(ctx, path+"/backfill", &found)
		switch {
		case ctx.Err() != nil:
			return cli.WithHint(cli.Fail(cli.ExitInterrupted, context.Canceled), "the backfill goes on; the same command follows it again")
		case err != nil:
			if tries++; tries == maxStreamTries {
				return err
			}
		default:
			tries = 0
			c.showDays(st, &found, shown)
			if found.Backfill.State.Ended() {
				return client.backfillError(ctx, name, &found)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(backfillTick):
		}
	}
}

// isOnServer fails if the script here is another one than that of the same name on the server.
func (c *runCmd) isOnServer(ctx context.Context, client *jobClient, path string) error {
	text, err := os.ReadFile(c.Script)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is named only
	}
	if err != nil {
		return err
	}
	var sent sentFiles
	main, err := sent.add(c.Script, string(text))
	if err != nil {
		return err
	}

	var source api.Source
	if err := client.getJSON(ctx, path+"/source", &source); err != nil {
		return err
	}
	for file, text := range sent.texts {
		below, err := filepath.Rel(filepath.Dir(main), file)
		if err != nil || source.Files[filepath.ToSlash(below)] != text {
			return cli.WithHint(cli.Usage("%s is not as it is on the server", filepath.Base(file)), "a backfill runs the script of the server's folder: copy it there first")
		}
	}
	return nil
}

// showDays writes the days that are made and not shown yet, and how far the backfill is.
func (c *runCmd) showDays(st *cli.State, found *api.Backfilled, shown map[schema.Date]bool) {
	current := found.Backfill
	for _, day := range found.Days {
		if shown[day.Date] || day.Date < current.From || day.Date > current.To || day.Made.Before(current.Created) {
			continue
		}
		shown[day.Date] = true
		fmt.Fprintf(st.Stdout, "%s\t%s\t%d\t%d\t%s\n", day.Date, day.Change, day.Added, day.Removed, day.Run)
		if c.showsProgress(st) {
			fmt.Fprintf(st.Stderr, "tmrun: made %s of %s to %s, %d failed\n", counted(len(shown), "day"), current.From, current.To, len(current.Failed))
		}
	}
}

// backfillError is how a backfill ended, with the exit code of its first day that has one.
func (c *jobClient) backfillError(ctx context.Context, name string, found *api.Backfilled) error {
	current := found.Backfill
	if current.State == api.Cancelled {
		return cli.Fail(cli.ExitInterrupted, fmt.Errorf("the backfill was cancelled on the server: %s", cmp.Or(current.Error, "by a request")))
	}
	var list struct {
		Jobs []api.Run `json:"jobs"` // the newest first
	}
	if err := c.getJSON(ctx, "jobs?script="+url.QueryEscape(name), &list); err != nil {
		return err
	}
	code, text := cli.ExitOK, ""
	for _, run := range list.Jobs {
		if run.Cause != api.ByBackfill || run.Created.Before(current.Created) || run.Code == cli.ExitOK || code != cli.ExitOK && run.State == api.Done {
			continue
		}
		code, text = run.Code, run.Error
	}
	if current.State == api.Failed {
		return cli.Fail(cmp.Or(code, cli.ExitFailed), fmt.Errorf("%s; failed: %v: %s", current.Error, current.Failed, text))
	}
	if code != cli.ExitOK {
		return cli.Fail(code, errors.New(text))
	}
	return nil
}
