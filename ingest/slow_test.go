package ingest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// pipeListener accepts connections in memory, whose deadlines follow the clock of a
// synctest bubble.
type pipeListener struct {
	conns chan net.Conn
	close func()
	ended chan struct{}
}

func newPipeListener() *pipeListener {
	ended := make(chan struct{})
	return &pipeListener{conns: make(chan net.Conn), ended: ended, close: sync.OnceFunc(func() { close(ended) })}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.close(); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// TestSlowBodies: a client that sends less than minBodyRate loses its connection when
// rateGrace is over; one that keeps to the rate may send as long as it takes.
func TestSlowBodies(t *testing.T) {
	tests := []struct {
		name         string
		bytes, chunk int
		every        time.Duration
		want         int // status, or 0: the connection ends before the body does
	}{
		{"a byte a second", 1000, 1, time.Second, 0},
		{"half of the rate", 100 << 10, minBodyRate / 2, time.Second, 0},
		{"fast, then nothing", 100 << 10, 90 << 10, time.Hour, 0},
		{"twice the rate, for minutes", 400 << 10, 2 * minBodyRate, time.Second, http.StatusOK},
		{"short, within the grace", 15, 1, time.Second, http.StatusOK},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				handler := NewHandler(ingesttest.Log(t, dir, nil), DefaultHandlerOptions())
				listener := newPipeListener()
				server := &http.Server{Handler: handler}
				go server.Serve(listener)
				defer server.Close()
				client, conn := net.Pipe()
				defer client.Close()
				listener.conns <- conn

				// Send until the body ends or the server has enough.
				start := time.Now()
				_, err := fmt.Fprintf(client, "POST /submit/telemetry/i HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", tt.bytes)
				answered := make(chan int, 1)
				go func() {
					answer, err := http.ReadResponse(bufio.NewReader(client), nil)
					if err != nil {
						answered <- 0
						return
					}
					io.Copy(io.Discard, answer.Body)
					answered <- answer.StatusCode
				}()

				sent := 0
				for sent < tt.bytes && err == nil {
					var n int
					n, err = client.Write(make([]byte, min(tt.chunk, tt.bytes-sent)))
					sent += n
					if sent < tt.bytes {
						time.Sleep(tt.every)
					}
				}

				code := <-answered
				switch took := time.Since(start); {
				case tt.want == 0 && (code == http.StatusOK || sent == tt.bytes):
					t.Errorf("status %d after %v and %d bytes: the server was patient", code, took, sent)
				case tt.want == 0 && err != nil && !errors.Is(err, io.ErrClosedPipe):
					t.Error(err)
				case tt.want != 0 && code != tt.want:
					t.Errorf("status %d after %v and %d bytes, want %d", code, took, sent, tt.want)
				}
			})
		})
	}
}
