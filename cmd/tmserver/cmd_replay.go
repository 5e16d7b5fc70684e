package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// replayCmd submits what raw logs hold to another server.
type replayCmd struct {
	Files           []string `arg:"" name:"file" type:"existingfile" help:"Raw logs."`
	To              string   `required:"" placeholder:"URL" help:"The server, such as http://127.0.0.1:8080."`
	Sample          float64  `default:"100" placeholder:"PERCENT" help:"Share of the submissions to send; which ones depends on their ID only."`
	Rate            float64  `default:"0" placeholder:"N" help:"Submissions per second; 0 is as fast as the server answers."`
	Clients         int      `default:"16" help:"Requests at the same time."`
	Tries           int      `default:"8" help:"How often a submission is sent to a server that does not answer, or answers 5xx."`
	rawVersionFlags `embed:""`
}

func (*replayCmd) Help() string {
	return `Sends bodies byte for byte, so that another server gets the traffic that this one
had. The time of receipt is not sent: the other server dates submissions itself.

A submission that is answered with 5xx, or not at all, is sent again: after the time
that Retry-After states, else after 0.1 s, then 0.2 s, 0.4 s and so on. If only the
answer was lost, the submission arrives twice; the other server's --drop-repeats
drops the second. If a server still does not answer after all tries, the command
ends.

EXIT STATUS: 0 done, all answered with 200; 1 the server cannot be reached; 2 usage,
or a file that is no raw log; 3 done, but something was not answered with 200 or
bytes were lost; 130 interrupted.`
}

func (c *replayCmd) Run(ctx context.Context, st *cli.State) error {
	if err := c.validate(); err != nil {
		return err
	}

	// One connection for each client.
	transport := &http.Transport{MaxIdleConnsPerHost: c.Clients}
	defer transport.CloseIdleConnections()

	replay := newReplay(c, &http.Client{Transport: transport, Timeout: time.Minute}, time.Now())
	err := replay.run(ctx, st)

	// What was sent is printed after an error, too.
	took := time.Since(replay.start)
	fmt.Fprintf(st.Stdout, "sent %d, skipped %d, %.1f MB in %.1f s\n", replay.sent, replay.skipped, float64(replay.bytes)/1e6, took.Seconds())
	for _, code := range slices.Sorted(maps.Keys(replay.codes)) {
		fmt.Fprintf(st.Stdout, "status %d %s: %d\n", code, http.StatusText(code), replay.codes[code])
	}
	if err != nil {
		return withVersionHint(err)
	}

	// The error gives the exit code.
	if others := replay.sent - replay.codes[http.StatusOK]; others > 0 || replay.bytesLost > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("%d submissions were not answered with 200, %d bytes lost", others, replay.bytesLost))
	}
	return nil
}

func (c *replayCmd) validate() error {
	base, err := url.Parse(c.To)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return cli.Usage("--to %q: want http://HOST[:PORT]", c.To)
	}

	if c.Sample <= 0 || c.Sample > 100 {
		return cli.Usage("--sample %v: want more than 0, at most 100", c.Sample)
	}
	if c.Rate < 0 || c.Clients < 1 || c.Tries < 1 {
		return cli.Usage("--rate %v, --clients %d, --tries %d: want at least 0, 1 and 1", c.Rate, c.Clients, c.Tries)
	}
	return c.rawVersionFlags.validate()
}

// run reads all files and sends the sample, until the first error.
func (r *replay) run(ctx context.Context, st *cli.State) error {
	// The sizes are for the progress bar only.
	total := int64(0)
	for _, name := range r.c.Files {
		if info, err := os.Stat(name); err == nil { // otherwise opening it fails, too
			total += info.Size()
		}
	}
	bar := newByteBar(st, total, "replay")

	// One goroutine reads, --clients goroutines send; the first error ends all.
	submissions := make(chan rawlog.Submission)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(submissions)
		return r.readFiles(ctx, bar, submissions)
	})
	for range r.c.Clients {
		group.Go(func() error {
			for submission := range submissions {
				if err := r.send(ctx, submission); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), bar.Close())
}

// readFiles sends the chosen submissions of all files to a channel. The bytes read
// go to progress, too.
func (r *replay) readFiles(ctx context.Context, progress io.Writer, submissions chan<- rawlog.Submission) error {
	for _, name := range r.c.Files {
		if err := r.readFile(ctx, name, progress, submissions); err != nil {
			return err
		}
	}
	return nil
}
