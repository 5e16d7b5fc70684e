package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// TestBenchOfBadServers measures servers that do not answer as they should. None
// makes bench wait for longer than it says.
func TestBenchOfBadServers(t *testing.T) {
	grace := benchGrace
	benchGrace = time.Second
	t.Cleanup(func() { benchGrace = grace })
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
	tests := []struct {
		name   string
		answer string // to each request; "": none
		keep   bool   // the connection stays open
		code   int
		want   string
	}{
		{"never answers", "", true, cli.ExitFailed, "error: not answered in time  2\n"},
		{"half an answer", ok[:20], true, cli.ExitFailed, "error: not answered in time  2\n"},
		{"closes", "", false, cli.ExitFailed, "error: connection closed"},
		{"closes after each answer", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK", false, cli.ExitOK, "status 200 OK"},
		{"refuses", "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", true, cli.ExitRejected, "status 503 Service Unavailable"},
		{"breaks off", ok, false, cli.ExitRejected, "error: connection"},
		{"does not say how long", "HTTP/1.1 200 OK\r\n\r\n", true, cli.ExitFailed, "error: answer is not HTTP"},
		{"speaks something else", "220 smtp.example.org\r\n", true, cli.ExitFailed, "error: answer is not HTTP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					wg.Go(func() {
						defer c.Close()
						for r := bufio.NewReader(c); ; {
							req, err := http.ReadRequest(r)
							if err != nil {
								return
							}
							io.Copy(io.Discard, req.Body)
							if io.WriteString(c, tt.answer); !tt.keep {
								return
							}
						}
					})
				}
			})
			var out bytes.Buffer
			start := time.Now()
			code := run(&cli.State{
				Args: []string{"bench", "--duration", "1s", "--clients", "2", "--pings", "1", fmt.Sprint("http://", l.Addr())},
				Env:  func(string) string { return "" }, Stdout: &out, Stderr: t.Output(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
			})
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
			if code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit code %d, want %d; no %q in\n%s", code, tt.code, tt.want, &out)
			}
			l.Close()
			wg.Wait()
		})
	}
}
