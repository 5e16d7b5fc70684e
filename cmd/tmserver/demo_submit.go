package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/gen"
)

// demoClientsPerProcessor is how many clients submit at the same time, for each
// processor: a client waits most of the time for its submission to be synced.
const demoClientsPerProcessor = 8

// submit submits all pings to the server at url.
func (c *demoCmd) submit(ctx context.Context, st *cli.State, url string) error {
	fmt.Fprintf(st.Stderr, "submitting %d pings to %s\n", c.Count, url)
	bar := newProgressBar(st, int64(c.Count),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("pings"),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(st.Stderr) }))

	// One connection for each client.
	clients := demoClientsPerProcessor * runtime.GOMAXPROCS(0)
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()

	client := &http.Client{Transport: transport, Timeout: time.Minute}

	// Clients share the pings: each submits the next one that none has claimed.
	var next atomic.Int64 // number of the next ping
	group, ctx := errgroup.WithContext(ctx)
	for range clients {
		group.Go(func() error {
			generator := gen.New(c.Seed)
			for {
				number := int(next.Add(1)) - 1
				if number >= c.Count {
					return nil
				}

				ping := generator.Ping(number)
				if err := submitPing(ctx, client, url, &ping); err != nil {
					return err
				}
				bar.Add(1)
			}
		})
	}
	return group.Wait()
}

// submitPing submits a ping, gzipped as browsers do. The error says so if the
// answer is not 200.
func submitPing(ctx context.Context, client *http.Client, url string, ping *gen.Ping) error {
	body := bytes.NewReader(gzipped(ping.JSON))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/submit/telemetry/"+ping.Path(), body)
	if err != nil {
		return err
	}

	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()

	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}

	// The body of any other answer says what is wrong.
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("submit: the server answered %s: %s", resp.Status, answer)
	}
	return nil
}
