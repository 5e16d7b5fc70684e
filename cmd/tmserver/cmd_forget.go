package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// forgetCmd is about clients that asked for their data to be deleted.
type forgetCmd struct {
	Ls     forgetLsCmd     `cmd:"" help:"List the clients that are forgotten."`
	Add    forgetAddCmd    `cmd:"" help:"Forget a client."`
	Apply  forgetApplyCmd  `cmd:"" help:"Remove now what is stored of them."`
	Status forgetStatusCmd `cmd:"" help:"Prove, by reading everything, that nothing is left of them."`
}

// forgetFlags say which data folder, and where it publishes.
type forgetFlags struct {
	DataDir   string `required:"" short:"d" placeholder:"DIR" help:"Data folder of a server."`
	PublishTo string `env:"TMSERVER_PUBLISH_TO" placeholder:"URL" help:"Object store that the server publishes segments to."`
}

// open opens the data folder, which must exist. The caller closes it.
func (f *forgetFlags) open(st *cli.State) (*layout.Data, error) {
	if err := requireDataFolder(f.DataDir); err != nil {
		return nil, err
	}
	data, err := layout.OpenDataWith(f.DataDir, diskHook)
	if err != nil {
		return nil, err
	}
	data.LogTo(st.Log)
	if f.PublishTo != "" {
		if err := data.PublishTo(f.PublishTo); err != nil {
			return nil, cli.Fail(cli.ExitUsage, errors.Join(err, data.Close()))
		}
	}
	return data, nil
}

// forgetLsCmd lists the clients.
type forgetLsCmd struct {
	forgetFlags `embed:""`
}

func (*forgetLsCmd) Help() string {
	return `A line for each ID: the ID, when the request was received, and the namespaces whose
records it reaches ("*" for all), with tabs between.

EXIT STATUS: 0 done; 1 failed; 2 usage; 130 interrupted.`
}

func (c *forgetLsCmd) Run(ctx context.Context, st *cli.State) (err error) {
	data, err := c.open(st)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()

	set, err := data.Forgotten(ctx)
	if err == nil {
		_, err = st.Stdout.Write(set.List())
	}
	return err
}

// forgetAddCmd adds clients.
type forgetAddCmd struct {
	forgetFlags `embed:""`
	Reaches     []string `placeholder:"NAMESPACE" help:"Forget the client only in the records of this namespace; repeatable. Default: in all."`
	IDs         []string `arg:"" name:"id" help:"ID of a client, a UUID."`
}

func (*forgetAddCmd) Help() string {
	return `Does what a deletion request of the client does: from now on its submissions are
dropped at conversion, and jobs skip its records. "tmserver forget apply" removes them.

  tmserver forget add --data-dir DATA b1f46580-36c2-46ff-83c8-fad2bae09b8a

EXIT STATUS: 0 done; 1 failed; 2 usage, or no ID of a client; 130 interrupted.`
}

func (c *forgetAddCmd) Run(ctx context.Context, st *cli.State) (err error) {
	var requests []forget.Request
	for _, text := range c.IDs {
		id, ok := forget.ParseID([]byte(strings.TrimSpace(text)))
		switch {
		case !ok:
			return cli.WithHint(cli.Usage("%s is no ID of a client", cli.Printable(text)), "want a UUID, such as b1f46580-36c2-46ff-83c8-fad2bae09b8a")
		case id.Nobody():
			return cli.Usage("%s is what many clients have: it stands for nobody", id)
		}
		requests = append(requests, forget.Request{ID: id, Time: st.Now().UTC(), Reaches: c.Reaches})
	}

	data, err := c.open(st)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	return data.Forget(ctx, "added", requests...)
}

// forgetApplyCmd removes what is stored.
type forgetApplyCmd struct {
	forgetFlags `embed:""`
	Grace       time.Duration `default:"0s" zero:"at once" help:"How long replaced files stay for the jobs that still read them; 0 removes them at once."`
	Zstd        string        `default:"zstd" placeholder:"PROGRAM" help:"zstd program that compresses what is written again; empty for none."`
}

func (*forgetApplyCmd) Help() string {
	return `Writes again, without the records of forgotten clients, the segments, the quarantine,
the trash and the raw logs that wait, here and in the object store of --publish-to, where
earlier versions of objects are removed too. Cached map results are removed. A server may
run; a job that began before may fail, because its segments are gone. Then it looks
whether anything is left, as "tmserver forget status" does.

What a server does by itself within --forget-within, this does now.

  tmserver forget apply --data-dir DATA

EXIT STATUS: 0 done, and nothing is left; 1 failed, or a compaction runs; 2 usage;
3 something is left, and what; 4 some segments are damaged and stay as they are ("tmserver
check --repair"); 130 interrupted.`
}

func (c *forgetApplyCmd) Run(ctx context.Context, st *cli.State) (err error) {
	data, err := c.open(st)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	if err := data.Recover(ctx); err != nil {
		return withCorruptCode(err)
	}

	set, err := data.Forgotten(ctx)
	if err != nil {
		return err
	}
	done, err := forgetNow(ctx, data, upkeep.ForgetOptions{
		All: set, Due: set, Grace: c.Grace, Now: st.Now().UTC(), Again: true, Zstd: c.Zstd, Log: st.Log,
	})
	fmt.Fprintf(st.Stdout, "forgot %d clients: removed %d records and %d submissions that waited; wrote %d files again\n",
		set.Len(), done.Records, done.submissions, done.Segments)
	if done.Versions > 0 {
		fmt.Fprintf(st.Stdout, "removed %d earlier versions of objects\n", done.Versions)
	}
	if err != nil {
		return withBusyHint(withCorruptCode(err))
	}
	return reportLeft(ctx, st, data, set)
}

// forgotNow is what forgetNow did.
type forgotNow struct {
	upkeep.Forgot
	submissions int // of raw logs
}

// forgetNow removes what is stored of the clients that are due: in raw logs, which no server
// writes, in segments, quarantine and trash of both places, and in cached map results.
func forgetNow(ctx context.Context, data *layout.Data, o upkeep.ForgetOptions) (done forgotNow, err error) {
	if o.Due.Len() == 0 {
		return done, nil
	}

	raw, err := worker.RawLogs(ctx, data, o.Due)
	if err != nil {
		return done, err
	}
	for _, name := range raw {
		if path.Dir(name) != layout.RawDir {
			if err := data.Folder().Remove(name); err != nil { // damaged: what can be read of it is published
				return done, err
			}
			continue
		}
		submissions, err := worker.ForgetWaiting(ctx, data, path.Base(name), o.All)
		done.submissions += submissions
		if errors.Is(err, layout.ErrBusy) || layout.IsDamage(err) {
			continue // its conversion drops them
		}
		if err != nil {
			return done, err
		}
	}

	places := []*upkeep.Place{upkeep.Here(data)}
	if data.Folder().Remote != nil {
		places = append(places, upkeep.In(data))
	}
	var errs []error
	for _, place := range places {
		forgot, err := place.Forget(ctx, o)
		done.Segments += forgot.Segments
		done.Records += forgot.Records
		done.Versions += forgot.Versions
		errs = append(errs, err)
	}

	// Results are as old as the list files before them, so these come first.
	lock, err := data.Lock()
	if err == nil {
		err = errors.Join(data.MergeForgotten(ctx), lock.Close())
	}
	return done, errors.Join(append(errs, err, removeMapResults(data, o.Due), removeDays(ctx, data, o.Due), removeJobResults(ctx, data, o.Due))...)
}

// forgetStatusCmd looks for what is left.
type forgetStatusCmd struct {
	forgetFlags `embed:""`
}

func (*forgetStatusCmd) Help() string {
	return `Reads the raw logs, the quarantine, the segments (of the object store of --publish-to
too, with the earlier versions that it keeps), what compaction has replaced, the trash,
damaged files and cached map results, and prints what has data of a forgotten client, or
may have it because it cannot be read. Nothing is taken for granted: segments are read
whatever their filter of clients says. Backups are elsewhere, and are not read.

  tmserver forget status --data-dir DATA

EXIT STATUS: 0 nothing is left; 1 failed; 2 usage; 3 something is left; 130 interrupted.`
}

func (c *forgetStatusCmd) Run(ctx context.Context, st *cli.State) (err error) {
	data, err := c.open(st)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()

	set, err := data.Forgotten(ctx)
	if err != nil {
		return err
	}
	return reportLeft(ctx, st, data, set)
}

// reportLeft prints what is left of the clients. The error has cli.ExitRejected if something is.
func reportLeft(ctx context.Context, st *cli.State, data *layout.Data, set *forget.Set) error {
	var left []upkeep.Left
	raw, err := worker.RawLogs(ctx, data, set)
	if err != nil {
		return err
	}
	for _, name := range raw {
		left = append(left, upkeep.Left{Path: name, Why: "has submissions"})
	}

	here, err := upkeep.Here(data).Left(ctx, set)
	if err != nil {
		return err
	}
	left = append(left, here...)
	if data.Folder().Remote != nil {
		there, err := upkeep.In(data).Left(ctx, set)
		if err != nil {
			return err
		}
		for _, file := range there {
			file.Path = data.Folder().Remote.URL() + ": " + file.Path
			left = append(left, file)
		}
	}
	results, err := mapResults(data, set)
	if err != nil {
		return err
	}
	jobs, err := jobResults(ctx, data, set)
	if err != nil {
		return err
	}
	for _, name := range jobs {
		left = append(left, upkeep.Left{Path: name, Why: "is a result or log of a job, and names a client"})
	}
	days, err := staleDays(ctx, data, set)
	if err != nil {
		return err
	}
	for _, name := range days {
		left = append(left, upkeep.Left{Path: name, Why: "are sums of segments that were written again since"})
	}
	for _, name := range results {
		left = append(left, upkeep.Left{Path: name, Why: "is a cached result of before the request"})
	}

	for _, file := range left {
		fmt.Fprintf(st.Stdout, "%s\t%s\n", cli.Printable(file.Path), cli.Printable(file.Why))
	}
	if len(left) > 0 {
		return cli.WithHint(cli.Fail(cli.ExitRejected, fmt.Errorf("%d files have, or may have, data of forgotten clients", len(left))),
			"tmserver forget apply removes it; what a server has not converted yet, it drops when it does")
	}
	fmt.Fprintf(st.Stdout, "nothing is left of %d forgotten clients\n", set.Len())
	return nil
}
