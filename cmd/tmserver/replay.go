package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// replay is a replay command at work.
type replay struct {
	c      *replayCmd
	client *http.Client
	start  time.Time

	// What follows belongs to the goroutine that reads.
	chosen    int64 // submissions of the sample
	skipped   int64 // the others
	bytesLost int64 // to damage

	mu    sync.Mutex // protects what follows
	sent  int64      // submissions, each once
	bytes int64      // of their bodies
	codes map[int]int64
}

func newReplay(c *replayCmd, client *http.Client, start time.Time) *replay {
	return &replay{c: c, client: client, start: start, codes: map[int]int64{}}
}

// readFile sends the chosen submissions of a file to a channel, at --rate.
func (r *replay) readFile(ctx context.Context, name string, progress io.Writer, submissions chan<- rawlog.Submission) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()

	// The name says the version, unless the flag does.
	version := r.c.RawVersion
	if version == rawlog.VersionAuto {
		version = rawlog.VersionOf(filepath.Base(name))
	}
	entries := rawlog.NewReader(io.TeeReader(file, progress), version)
	entries.Source = filepath.Base(name)

	// Damage is passed over and counted; any other error ends the command.
	for {
		submission, err := entries.Next()
		if err == io.EOF {
			r.bytesLost += entries.BytesLost()
			return nil
		}
		if err != nil {
			return err
		}

		if !inSample(submission.Path, r.c.Sample) {
			r.skipped++
			continue
		}

		r.waitForTurn(ctx)
		r.chosen++
		submission.Body = bytes.Clone(submission.Body) // the reader uses its buffer again
		select {
		case submissions <- submission:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// waitForTurn waits until --rate allows the next submission, or ctx ends.
func (r *replay) waitForTurn(ctx context.Context) {
	if r.c.Rate <= 0 {
		return
	}
	turn := r.start.Add(time.Duration(float64(r.chosen) / r.c.Rate * float64(time.Second)))
	select {
	case <-time.After(time.Until(turn)):
	case <-ctx.Done():
	}
}

// inSample says whether a submission belongs to the sample, by its ID alone.
func inSample(path string, percent float64) bool {
	id, _, _ := strings.Cut(path, "/")
	share := float64(xxhash.Sum64String(id)>>11) / (1 << 53) // from 0 up to 1
	return share*100 < percent
}

// firstPause is the pause before a submission is sent again; it doubles from try
// to try. maxPause bounds the pause that Retry-After states.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Minute
)

// send submits s, up to --tries times, and counts the last answer. The error says
// that there was none.
func (r *replay) send(ctx context.Context, submission rawlog.Submission) error {
	r.mu.Lock()
	r.sent++
	r.bytes += int64(len(submission.Body))
	r.mu.Unlock()

	// Only what may succeed later is sent again: no answer, or 5xx.
	target := strings.TrimSuffix(r.c.To, "/") + "/submit/telemetry/" + escapePath(submission.Path)
	pause := firstPause
	for try := 1; ; try++ {
		code, after, err := post(ctx, r.client, target, submission.Body)
		temporary := err != nil || code >= 500
		if !temporary || try == r.c.Tries || ctx.Err() != nil {
			if err != nil {
				return err
			}

			// Only the last answer counts, or the counts would exceed the submissions.
			r.mu.Lock()
			r.codes[code]++
			r.mu.Unlock()
			return nil
		}

		// Retry-After comes before the pause that doubles.
		if after < 0 {
			after = pause
		}
		pause *= 2
		select {
		case <-time.After(min(after, maxPause)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// post sends body once. It returns the status code and the pause that Retry-After
// states, negative if the field is missing.
func post(ctx context.Context, client *http.Client, target string, body []byte) (code int, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, -1, err
	}

	resp, err := client.Do(req)
	if err != nil {
		return 0, -1, err
	}
	defer resp.Body.Close()

	io.Copy(io.Discard, resp.Body) // so that the connection can be used again
	return resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"), time.Now()), nil
}

// retryAfter reads the header field of that name, which states seconds or a date;
// a negative duration if it states neither.
func retryAfter(field string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(field); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1e6)) * time.Second
	}
	if date, err := http.ParseTime(field); err == nil {
		return max(date.Sub(now), 0)
	}
	return -1
}

// escapePath escapes a stored path for a URL. Characters that a URL may have stay
// as they are, so that the other server stores the same path; url.PathEscape would
// escape more.
func escapePath(path string) string {
	var escaped strings.Builder
	for at := range len(path) {
		char := path[at]
		switch {
		case '0' <= char && char <= '9', 'a' <= char && char <= 'z', 'A' <= char && char <= 'Z',
			strings.IndexByte("/-._~!$&'()*+,;=:@", char) >= 0:
			escaped.WriteByte(char)
		case char == '%' && at+2 < len(path) && isHex(path[at+1:at+3]): // escaped already
			escaped.WriteByte(char)
		default:
			fmt.Fprintf(&escaped, "%%%02X", char)
		}
	}
	return escaped.String()
}

func isHex(text string) bool {
	_, err := strconv.ParseUint(text, 16, 8)
	return err == nil
}
