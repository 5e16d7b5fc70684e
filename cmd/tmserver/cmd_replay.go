package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// replayCmd submits what raw logs hold to another server.
type replayCmd struct {
	Files      []string `arg:"" name:"file" type:"existingfile" help:"Raw logs."`
	To         string   `required:"" placeholder:"URL" help:"The server, such as http://127.0.0.1:8080."`
	Sample     float64  `default:"100" placeholder:"PERCENT" help:"Share of the submissions to send; which ones depends on their ID only."`
	Rate       float64  `default:"0" placeholder:"N" help:"Submissions per second; 0 is as fast as the server takes them."`
	Clients    int      `default:"16" help:"Requests at the same time."`
	Tries      int      `default:"8" help:"How often a submission is sent, if need be, to a server that is away, busy or failing."`
	RawVersion int      `default:"-1" placeholder:"N" help:"Version of the files, 0 to 3. Default: from the name, else from the content."`
}

func (*replayCmd) Help() string {
	return `Sends bodies byte for byte, so that another server gets the traffic that this one
had. The receive time is not sent: the other server dates them itself.

A submission that is answered with 5xx, or not at all, is sent again after the time
that Retry-After states, else after 0.1 s, then 0.2 s, 0.4 s and so on. It may be
stored twice when only the answer was lost; the other server's --drop-repeats drops
the second. A server that is still away after all tries ends the program.

EXIT STATUS: 0 done, all answered with 200; 1 the server cannot be reached; 2 usage, or a file that is no raw
log; 3 done, but something was not answered with 200 or bytes were lost; 130
interrupted.`
}

// replayCounts is what became of the submissions.
type replayCounts struct {
	mu      sync.Mutex // protects what follows
	sent    int64
	skipped int64
	bytes   int64
	codes   map[int]int64
}

func (c *replayCmd) Run(ctx context.Context, st *cli.State) error {
	base, err := url.Parse(c.To)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return cli.Usage("--to %q: want http://HOST[:PORT]", c.To)
	}
	switch {
	case c.Sample <= 0 || c.Sample > 100:
		return cli.Usage("--sample %v: want more than 0, at most 100", c.Sample)
	case c.Rate < 0 || c.Clients < 1 || c.Tries < 1:
		return cli.Usage("--rate %v, --clients %d, --tries %d: want at least 0, 1 and 1", c.Rate, c.Clients, c.Tries)
	case c.RawVersion < rawlog.VersionAuto || c.RawVersion > rawlog.Version:
		return cli.Usage("--raw-version %d: want 0 to %d", c.RawVersion, rawlog.Version)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: c.Clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	counts := &replayCounts{codes: map[int]int64{}}
	var total int64
	for _, name := range c.Files {
		if info, err := os.Stat(name); err == nil { // else opening it says why not
			total += info.Size()
		}
	}
	bar := newByteBar(st, total, "replay")
	start := time.Now()
	subs := make(chan rawlog.Submission)
	var lost, read int64
	eg, egctx := errgroup.WithContext(ctx)
	eg.Go(func() (err error) {
		defer close(subs)
		for _, name := range c.Files {
			n, err := c.read(egctx, name, bar, subs, counts, start, &read)
			if err != nil {
				return err
			}
			lost += n
		}
		return nil
	})
	for range c.Clients {
		eg.Go(func() error {
			for s := range subs {
				if err := counts.send(egctx, client, strings.TrimSuffix(c.To, "/"), s, c.Tries); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = errors.Join(eg.Wait(), bar.Close())
	took := time.Since(start)
	fmt.Fprintf(st.Stdout, "sent %d, skipped %d, %.1f MB in %.1f s\n", counts.sent, counts.skipped, float64(counts.bytes)/1e6, took.Seconds())
	for _, code := range slices.Sorted(maps.Keys(counts.codes)) {
		fmt.Fprintf(st.Stdout, "status %d %s: %d\n", code, http.StatusText(code), counts.codes[code])
	}
	if errors.Is(err, rawlog.ErrVersion) {
		return cli.WithHint(cli.Fail(cli.ExitUsage, err), "--raw-version states the version of files that do not")
	}
	if err != nil {
		return err
	}
	if bad := counts.sent - counts.codes[http.StatusOK]; bad > 0 || lost > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("%d submissions were not answered with 200, %d bytes lost", bad, lost))
	}
	return nil
}

// read gives the chosen submissions of a file to subs, at the wanted rate; *read
// counts them over all files, progress gets their bytes.
func (c *replayCmd) read(ctx context.Context, name string, progress io.Writer, subs chan<- rawlog.Submission, counts *replayCounts, start time.Time, read *int64) (lost int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	version := c.RawVersion
	if version == rawlog.VersionAuto {
		version = rawlog.VersionOf(filepath.Base(name))
	}
	r := rawlog.NewReader(io.TeeReader(f, progress), version)
	r.Source = filepath.Base(name)
	for {
		s, err := r.Next()
		if err == io.EOF {
			return r.BytesLost(), nil
		}
		if err != nil {
			return 0, err
		}
		if !chosen(s.Path, c.Sample) {
			counts.mu.Lock()
			counts.skipped++
			counts.mu.Unlock()
			continue
		}
		if c.Rate > 0 {
			due := start.Add(time.Duration(float64(*read) / c.Rate * float64(time.Second)))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
			}
		}
		*read++
		s.Body = bytes.Clone(s.Body)
		select {
		case subs <- s:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// chosen says whether a submission belongs to the sample, by its ID alone.
func chosen(path string, percent float64) bool {
	id, _, _ := strings.Cut(path, "/")
	return float64(xxhash.Sum64String(id)>>11)/(1<<53)*100 < percent
}

// firstPause is the pause before a submission is sent again; it doubles from try
// to try. maxPause bounds it, and what Retry-After may ask for.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Minute
)

// send submits s, up to tries times, and counts the last answer. The error is
// that the server did not answer.
func (n *replayCounts) send(ctx context.Context, client *http.Client, base string, s rawlog.Submission, tries int) error {
	n.mu.Lock()
	n.sent++
	n.bytes += int64(len(s.Body))
	n.mu.Unlock()
	target := base + "/submit/telemetry/" + escapePath(s.Path)
	for try, pause := 1, firstPause; ; try, pause = try+1, 2*pause {
		code, after, err := post(ctx, client, target, s.Body)
		if again := err != nil || code >= 500; !again || try == tries || ctx.Err() != nil {
			if err != nil {
				return err
			}
			n.mu.Lock()
			n.codes[code]++
			n.mu.Unlock()
			return nil
		}
		if after < 0 {
			after = pause
		}
		select {
		case <-time.After(min(after, maxPause)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// post sends body once. After is what Retry-After asks for; negative if nothing.
func post(ctx context.Context, client *http.Client, target string, body []byte) (code int, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, -1, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, -1, err
	}
	io.Copy(io.Discard, resp.Body) // so that the connection can be used again
	resp.Body.Close()
	return resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"), time.Now()), nil
}

// retryAfter reads the header field of that name, which states seconds or a date.
func retryAfter(field string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(field); err == nil && s >= 0 {
		return time.Duration(min(s, 1e6)) * time.Second
	}
	if t, err := http.ParseTime(field); err == nil {
		return max(t.Sub(now), 0)
	}
	return -1
}

// escapePath makes a stored path fit for a URL. What is fit stays as it is, so
// that the other server stores the same path.
func escapePath(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', strings.IndexByte("/-._~!$&'()*+,;=:@", c) >= 0:
			b.WriteByte(c)
		case c == '%' && i+2 < len(path) && isHex(path[i+1:i+3]):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isHex(s string) bool {
	_, err := strconv.ParseUint(s, 16, 8)
	return err == nil
}
