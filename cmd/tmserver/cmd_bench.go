package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/gen"
)

// benchCmd submits made-up pings as fast as the server answers.
type benchCmd struct {
	URL      string        `arg:"" optional:"" placeholder:"URL" help:"The server, such as http://127.0.0.1:8080."`
	Disk     string        `type:"existingdir" placeholder:"DIR" help:"Measure the disk of this folder, too, before and after the server, or alone: how many bytes a second it syncs, in batches as a server writes them."`
	Clients  int           `default:"64" help:"Connections, each with one request at a time."`
	Duration time.Duration `default:"10s" help:"How long to submit."`
	Gzip     bool          `help:"Compress the bodies, as browsers do."`
	Pings    int           `default:"200" help:"How many different pings to send."`
	Seed     uint64        `default:"1" help:"Which population of browsers."`
}

func (*benchCmd) Help() string {
	return `Measures how much a server and its disk can receive: requests and bytes per
second, the time until the answer (median, 90th and 99th percentile, slowest), and
the status codes of the answers. The server stores what is sent, so use a data
folder of its own.

With --disk, which is to be a folder on the disk of the server's data folder, it also
writes and syncs batches of 64 kB, 256 kB and 1 MB as a server does, in a file of 32 MB
that was preallocated ("fresh") and over what is there ("overwritten", as in the files that
a busy server has filled in advance), for half of --duration before the server's turn and
after it. The last line is the server's share of the best of them.

After --duration, requests that are under way have 10 seconds more. A request that
is not answered by then counts as an error, as does a connection that breaks.

  tmserver serve --data-dir /disk/to/measure --listen 127.0.0.1:8080 &
  tmserver bench --disk /disk/to/measure http://127.0.0.1:8080

EXIT STATUS: 0 done; 1 the server cannot be reached or answers nothing; 2 usage;
3 some requests were not answered, or with another status than 200; 130
interrupted.`
}

func (c *benchCmd) Run(ctx context.Context, st *cli.State) error {
	if c.URL == "" && c.Disk == "" {
		return cli.Usage("want the URL of a server, or --disk, or both")
	}
	if c.Disk == "" {
		report, err := c.benchServer(ctx)
		if err != nil {
			return err
		}
		return report.print(st.Stdout)
	}
	return c.benchBoth(ctx, st)
}

// benchServer measures the server.
func (c *benchCmd) benchServer(ctx context.Context) (*benchReport, error) {
	address, err := c.validate()
	if err != nil {
		return nil, err
	}

	requests := c.requests(address)

	// All clients begin at different pings and end at the same time.
	limit, cancel := context.WithTimeoutCause(ctx, c.Duration, errTimeIsUp)
	defer cancel()

	start := time.Now()
	clients := make([]benchClient, c.Clients)
	group, limit := errgroup.WithContext(limit)
	for i := range clients {
		client := &clients[i]
		*client = newBenchClient(address, requests, i)
		group.Go(func() error { return client.run(limit) })
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("submit to %s: %w", c.URL, err)
	}

	// A signal ends the command without a report.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return newBenchReport(clients, start), nil
}

// validate checks the flags and returns the server's host and port.
func (c *benchCmd) validate() (address string, err error) {
	if c.Clients < 1 || c.Pings < 1 {
		return "", cli.Usage("--clients %d, --pings %d: want more than 0", c.Clients, c.Pings)
	}

	server, err := url.Parse(c.URL)
	if err != nil || server.Scheme != "http" || server.Host == "" || strings.Trim(server.Path, "/") != "" {
		return "", cli.Usage("%q: want http://HOST[:PORT]", c.URL)
	}

	if server.Port() == "" {
		return net.JoinHostPort(server.Hostname(), "80"), nil
	}
	return server.Host, nil
}

// requests returns one request for each ping, as bytes on the wire.
func (c *benchCmd) requests(address string) [][]byte {
	generator := gen.New(c.Seed)
	all := make([][]byte, c.Pings)
	for i := range all {
		ping := generator.Ping(i)
		body := ping.JSON
		if c.Gzip {
			body = gzipped(body)
		}

		head := fmt.Sprintf("POST /submit/telemetry/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", ping.Path(), address, len(body))
		all[i] = append([]byte(head), body...)
	}
	return all
}
