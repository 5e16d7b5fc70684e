package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// A benchClient writes prepared requests to a connection and reads the answers
// with http.ReadResponse. It replaces http.Client, which would take the processor
// time that the server on the same machine needs: measured on 2026-11-28 with
// --clients 64 --gzip against tmserver on two shared processors, three rounds,
//
//	client             processor time per request   requests/s
//	benchClient        17 to 26 µs                  9,000, 12,000, 20,000
//	http.Client        63 to 75 µs                  8,000, 7,000, 12,000
//
// At 30,000 requests/s, http.Client would need two whole processors.
// TestBenchClientSeesWhatAClientSees compares the two.
type benchClient struct {
	address  string // host and port
	requests [][]byte
	next     int // number of the next request, counted over the rounds

	bytes  int64 // of the requests that were answered
	times  []time.Duration
	codes  map[int]int
	errors map[string]int // requests without an answer, by reason
	last   time.Time      // when the last answer came
}

// newBenchClient returns a client that begins with the request number first. It
// does not change the requests.
func newBenchClient(address string, requests [][]byte, first int) benchClient {
	return benchClient{address: address, requests: requests, next: first, codes: map[int]int{}, errors: map[string]int{}}
}

// benchGrace is how long requests under way may take after the duration; a disk
// that is busy with other things takes seconds to sync.
const benchGrace = 10 * time.Second

// errTimeIsUp ends the submitting.
var errTimeIsUp = errors.New("the time to submit is over")

// run submits, over one connection after the other, until ctx ends. The error
// says why the server cannot be reached.
func (b *benchClient) run(ctx context.Context) error {
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.address)
		if err != nil {
			timeout, ok := errors.AsType[net.Error](err)
			if ctx.Err() != nil || ok && timeout.Timeout() {
				return nil // the time is up
			}
			return err
		}

		b.converse(ctx, conn)
	}
	return nil
}

// converse submits over conn until the connection or ctx ends, and closes it.
func (b *benchClient) converse(ctx context.Context, conn net.Conn) {
	defer conn.Close()

	// When ctx ends, the request under way may be finished within benchGrace; an
	// interruption by a signal ends it at once.
	defer context.AfterFunc(ctx, func() {
		grace := time.Duration(benchGrace)
		if !errors.Is(context.Cause(ctx), errTimeIsUp) {
			grace = 0
		}
		conn.SetDeadline(time.Now().Add(grace))
	})()

	answers := bufio.NewReader(conn)
	for ctx.Err() == nil {
		// The same pings are sent again and again: making new ones would cost too much.
		request := b.requests[b.next%len(b.requests)]
		b.next++

		start := time.Now()
		code, last, err := exchange(conn, answers, request)
		if err != nil {
			b.errors[reasonOf(err)]++
			return
		}

		b.last = time.Now()
		b.times = append(b.times, b.last.Sub(start))
		b.bytes += int64(len(request))
		b.codes[code]++
		if last {
			return
		}
	}
}

// exchange writes a request and reads the answer's status code; last is true if
// the server ends the connection after it.
func exchange(conn net.Conn, answers *bufio.Reader, request []byte) (code int, last bool, err error) {
	// A server may answer before it has read everything and then close: the write
	// fails, and the answer is there to be read.
	_, err = conn.Write(request)
	if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		return 0, false, err
	}

	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return 0, false, err
	}

	// Only then the connection is free for the next request.
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, answer.Close, err
}

// reasonOf names in few words why there is no answer.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "not answered in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return "connection closed"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return err.Error()
	}
	return "answer is not HTTP"
}
