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
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
	return `Measures what a server and its disk can take: requests and bytes per second, how
long an answer took (median, 90 and 99 of a hundred, the slowest), and what was
answered. The server stores what is sent, so give it a data folder of its own.
After --duration the requests in hand have 10 seconds more; what is not answered
then counts as an error, as does a connection that breaks.

  tmserver serve --data-dir /disk/to/measure --listen 127.0.0.1:8080 &
  tmserver bench http://127.0.0.1:8080

EXIT STATUS: 0 done, 1 the server cannot be reached or answers nothing, 2 bad flags,
3 something was not answered, or with another status than 200.`
}

// benchGrace is how long requests in hand may take after the duration; a disk that
// is busy with other things takes seconds to sync. Tests shorten it.
var benchGrace = 10 * time.Second

// errTimeIsUp ends the submitting.
var errTimeIsUp = errors.New("the time to submit is over")

// benchCount is what one client has seen.
type benchCount struct {
	bytes  int64 // of the requests that were answered
	times  []time.Duration
	codes  map[int]int
	errors map[string]int // requests without an answer, by reason
	last   time.Time      // when the last answer came
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
	if err := ctx.Err(); err != nil {
		return err
	}
	return printBench(st.Stdout, counts, start)
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

// run submits, over one connection at a time, until ctx ends. The error is that
// the server cannot be reached.
func (n *benchCount) run(ctx context.Context, host string, requests [][]byte, i int) error {
	n.codes, n.errors = map[int]int{}, map[string]int{}
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
		if e, ok := errors.AsType[net.Error](err); ctx.Err() != nil && err != nil || ok && e.Timeout() {
			return nil // the time is up
		}
		if err != nil {
			return err
		}
		i = n.converse(ctx, conn, requests, i)
	}
	return nil
}

// converse submits over conn until that ends, or ctx does, and closes it; it
// returns the number of the next request.
func (n *benchCount) converse(ctx context.Context, conn net.Conn, requests [][]byte, i int) int {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() {
		grace := benchGrace
		if !errors.Is(context.Cause(ctx), errTimeIsUp) {
			grace = 0 // interrupted
		}
		conn.SetDeadline(time.Now().Add(grace))
	})()
	answers := bufio.NewReader(conn)
	for ; ctx.Err() == nil; i++ {
		request := requests[i%len(requests)]
		start := time.Now()
		_, err := conn.Write(request)
		code, last := 0, false
		if err == nil || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) { // it may have answered before
			code, last, err = readAnswer(answers)
		}
		if err != nil {
			n.errors[reasonOf(err)]++
			return i + 1
		}
		n.last = time.Now()
		n.times = append(n.times, n.last.Sub(start))
		n.bytes += int64(len(request))
		n.codes[code]++
		if last {
			return i + 1
		}
	}
	return i
}

// reasonOf names what kept an answer from coming, in few words.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "not answered in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return "connection closed"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, errNotHTTP):
		return "answer is not HTTP"
	}
	return err.Error()
}

// errNotHTTP is for answers that readAnswer does not understand.
var errNotHTTP = errors.New("not HTTP/1.1 with a Content-Length")

// readAnswer reads one response and says whether it is the connection's last.
func readAnswer(r *bufio.Reader) (code int, last bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	fields := bytes.Fields(line)
	if len(fields) < 2 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, false, errNotHTTP
	}
	if code, err = strconv.Atoi(string(fields[1])); err != nil {
		return 0, false, errNotHTTP
	}
	length := -1
	for {
		line, err = r.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == 0 && !ok:
			if length < 0 && !last {
				return 0, false, errNotHTTP
			}
			_, err = r.Discard(max(length, 0))
			return code, last, err
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return 0, false, errNotHTTP
			}
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
}

// printBench sums up what all clients have seen since start.
func printBench(w io.Writer, counts []benchCount, start time.Time) error {
	var times []time.Duration
	took := time.Nanosecond // until the last answer
	var sent int64
	codes, failed, failures := map[int]int{}, map[string]int{}, 0
	for _, n := range counts {
		took = max(took, n.last.Sub(start))
		times = append(times, n.times...)
		sent += n.bytes
		for code, k := range n.codes {
			codes[code] += k
		}
		for reason, k := range n.errors {
			failed[reason] += k
			failures += k
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "requests/s\t%.0f\n", float64(len(times))/took.Seconds())
	fmt.Fprintf(tw, "MB/s\t%.1f\n", float64(sent)/1e6/took.Seconds())
	if len(times) > 0 {
		slices.Sort(times)
		fmt.Fprintf(tw, "bytes/request\t%d\n", sent/int64(len(times)))
		for _, q := range []struct {
			name string
			at   float64
		}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}} {
			at := times[min(int(q.at*float64(len(times))), len(times)-1)]
			fmt.Fprintf(tw, "latency %s\t%.2f ms\n", q.name, float64(at.Microseconds())/1000)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		fmt.Fprintf(tw, "status %d %s\t%d\n", code, http.StatusText(code), codes[code])
	}
	for _, reason := range slices.Sorted(maps.Keys(failed)) {
		fmt.Fprintf(tw, "error: %s\t%d\n", reason, failed[reason])
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if len(times) == 0 {
		return errors.New("no request was answered")
	}
	if refused := len(times) - codes[http.StatusOK]; refused+failures > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("of %d requests %d were not answered with 200, and %d not at all", len(times)+failures, refused, failures))
	}
	return nil
}
