package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/gen"
)

// benchCmd submits made-up pings as fast as the server takes them.
type benchCmd struct {
	URL      string        `arg:"" placeholder:"URL" help:"The server, such as http://127.0.0.1:8080."`
	Clients  int           `default:"64" help:"Connections, each with one request at a time."`
	Duration time.Duration `default:"10s" help:"How long to submit."`
	Gzip     bool          `help:"Compress the bodies, as browsers do."`
	Pings    int           `default:"200" help:"How many different pings to send."`
	Seed     uint64        `default:"1" help:"Which population of browsers."`
}

func (*benchCmd) Help() string {
	return `Measures what a server and its disk can take: requests per second, bytes per
second, and how long an answer took. The server stores what is sent, so give it
a data folder of its own.

  tmserver serve --data-dir /disk/to/measure --listen 127.0.0.1:8080 &
  tmserver bench http://127.0.0.1:8080

EXIT STATUS: 0 done, 1 the server cannot be reached or fails, 2 bad flags,
3 something was answered with another status than 200.`
}

// errTimeIsUp ends the submitting.
var errTimeIsUp = errors.New("the time to submit is over")

// benchCount is what one client has seen.
type benchCount struct {
	bytes int64
	times []time.Duration
	codes map[int]int
}

func (c *benchCmd) Run(ctx context.Context, st *cli.State) error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return cli.Usage("%q: want http://HOST[:PORT]", c.URL)
	}
	if c.Clients < 1 || c.Pings < 1 || c.Duration <= 0 {
		return cli.Usage("--clients %d, --pings %d, --duration %v: want more than 0", c.Clients, c.Pings, c.Duration)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "80")
	}
	requests := c.requests(u.Host)
	counts := make([]benchCount, c.Clients)
	limit, cancel := context.WithTimeoutCause(ctx, c.Duration, errTimeIsUp)
	defer cancel()
	start := time.Now()
	eg, limit := errgroup.WithContext(limit)
	for i := range counts {
		eg.Go(func() error { return counts[i].run(limit, u.Host, requests, i) })
	}
	if err := eg.Wait(); err != nil {
		return fmt.Errorf("submit to %s: %w", c.URL, err)
	}
	return c.print(st.Stdout, counts, time.Since(start))
}

// requests returns one request per ping, as bytes on the wire.
func (c *benchCmd) requests(host string) [][]byte {
	g := gen.New(c.Seed)
	all := make([][]byte, c.Pings)
	for i := range all {
		p := g.Ping(i)
		body := p.JSON
		if c.Gzip {
			body = gzipped(body)
		}
		head := fmt.Sprintf("POST /submit/telemetry/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", p.Path(), host, len(body))
		all[i] = append([]byte(head), body...)
	}
	return all
}

// run submits over one connection until ctx ends.
func (n *benchCount) run(ctx context.Context, host string, requests [][]byte, first int) error {
	n.codes = map[int]int{}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		if errors.Is(context.Cause(ctx), errTimeIsUp) {
			return nil // not one request fitted into the time
		}
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for i := first; ctx.Err() == nil; i++ {
		request := requests[i%len(requests)]
		start := time.Now()
		if _, err := conn.Write(request); err != nil {
			return err
		}
		code, last, err := readAnswer(answers)
		if err != nil {
			return err
		}
		n.times = append(n.times, time.Since(start))
		n.bytes += int64(len(request))
		n.codes[code]++
		if last {
			return errors.New("the server closed the connection after status " + strconv.Itoa(code))
		}
	}
	return nil
}

// readAnswer reads one response and says whether it is the connection's last.
func readAnswer(r *bufio.Reader) (code int, last bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	fields := bytes.Fields(line)
	if len(fields) < 2 {
		return 0, false, fmt.Errorf("answer %q is not HTTP", line)
	}
	if code, err = strconv.Atoi(string(fields[1])); err != nil {
		return 0, false, fmt.Errorf("answer %q is not HTTP", line)
	}
	length := 0
	for {
		line, err = r.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		switch {
		case len(name) == 0:
			_, err = r.Discard(length)
			return code, last, err
		case ok && bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, err
			}
		case ok && bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
}

func (c *benchCmd) print(w io.Writer, counts []benchCount, took time.Duration) error {
	var times []time.Duration
	var sent int64
	codes := map[int]int{}
	for _, n := range counts {
		times = append(times, n.times...)
		sent += n.bytes
		for code, k := range n.codes {
			codes[code] += k
		}
	}
	if len(times) == 0 {
		return errors.New("no request was answered in time")
	}
	slices.Sort(times)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "requests/s\t%.0f\n", float64(len(times))/took.Seconds())
	fmt.Fprintf(tw, "MB/s\t%.1f\n", float64(sent)/1e6/took.Seconds())
	fmt.Fprintf(tw, "bytes/request\t%d\n", sent/int64(len(times)))
	for _, q := range []float64{0, 50, 75, 95, 99, 99.9, 100} {
		at := times[min(int(q/100*float64(len(times))), len(times)-1)]
		fmt.Fprintf(tw, "latency %v %%\t%.2f ms\n", q, float64(at.Microseconds())/1000)
	}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		fmt.Fprintf(tw, "status %d %s\t%d\n", code, http.StatusText(code), codes[code])
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if refused := len(times) - codes[http.StatusOK]; refused > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("%d of %d requests were not answered with 200", refused, len(times)))
	}
	return nil
}
