package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// badServer answers each request with the same text and then keeps the connection
// open or closes it. It returns the URL; the server ends with the test.
func badServer(t *testing.T, answer string, keep bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	serve := func(conn net.Conn) {
		defer conn.Close()
		for requests := bufio.NewReader(conn); ; {
			request, err := http.ReadRequest(requests)
			if err != nil {
				return
			}

			io.Copy(io.Discard, request.Body)
			io.WriteString(conn, answer)
			if !keep {
				return
			}
		}
	}

	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			wg.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		wg.Wait()
	})

	return fmt.Sprint("http://", listener.Addr())
}

// TestBenchOfBadServers measures servers that do not answer as they should. None
// makes bench wait for longer than its duration and benchGrace.
func TestBenchOfBadServers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
	tests := []struct {
		name   string
		answer string // to each request; "": none
		keep   bool   // the connection stays open
		code   int
		want   string
	}{
		{"never answers", "", true, cli.ExitFailed, "error: not answered in time  2\n"},
		{"half an answer", ok[:12], true, cli.ExitFailed, "error: not answered in time  2\n"},
		{"closes", "", false, cli.ExitFailed, "error: connection closed"},
		{"closes after each answer", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK", false, cli.ExitOK, "status 200 OK"},
		{"answers 503", "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", true, cli.ExitRejected, "status 503 Service Unavailable"},
		{"breaks off", ok, false, cli.ExitRejected, "error: connection"},
		{"length missing, open", "HTTP/1.1 200 OK\r\n\r\n", true, cli.ExitFailed, "error: not answered in time  2\n"},
		{"length missing, closed", "HTTP/1.1 200 OK\r\n\r\nOK", false, cli.ExitOK, "status 200 OK"},
		{"another protocol", "220 smtp.example.org\r\n", true, cli.ExitFailed, "error: answer is not HTTP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := badServer(t, tt.answer, tt.keep)

			start := time.Now()
			stdout, stderr, code := tmserver(t, "", "bench", "--duration", "1s", "--clients", "2", "--pings", "1", url)
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}

			if code != tt.code || !strings.Contains(stdout, tt.want) {
				t.Errorf("exit code %d, want %d; no %q in\n%s%s", code, tt.code, tt.want, stdout, stderr)
			}
		})
	}
}

// benchAnswers answers a path with a status and a body in one of the ways that
// HTTP has to say where the body ends.
func benchAnswers(t testing.TB) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/submit/telemetry/chunked":
			w.WriteHeader(http.StatusAccepted)
			w.(http.Flusher).Flush()
			io.WriteString(w, "a body of unknown length")
		case "/submit/telemetry/closed":
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/submit/telemetry/empty":
			w.WriteHeader(http.StatusNoContent)
		default:
			io.WriteString(w, "OK")
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// TestBenchClientSeesWhatAClientSees compares the answers that a benchClient reads
// with those of an http.Client.
func TestBenchClientSeesWhatAClientSees(t *testing.T) {
	server := benchAnswers(t)
	address := server.Listener.Addr().String()
	for _, name := range []string{"plain", "chunked", "closed", "empty"} {
		want, err := http.Post(server.URL+"/submit/telemetry/"+name, "", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}

		want.Body.Close()

		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		// Twice over one connection: the first answer must be read to its end.
		answers := bufio.NewReader(conn)
		for range 2 {
			request := fmt.Sprintf("POST /submit/telemetry/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", name)
			code, last, err := exchange(conn, answers, []byte(request))
			if err != nil || code != want.StatusCode || last != want.Close {
				t.Errorf("%s: %d, last %v, %v; http.Client says %d, last %v", name, code, last, err, want.StatusCode, want.Close)
			}

			if last {
				break
			}
		}
	}
}

// BenchmarkBenchClient sends 5 kB requests over one connection to a server in the
// same process, whose work is part of the figure.
func BenchmarkBenchClient(b *testing.B) {
	server := benchAnswers(b)
	body := bytes.Repeat([]byte("x"), 5000)

	b.Run("client=benchClient", func(b *testing.B) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()

		request := append(fmt.Appendf(nil, "POST /submit/telemetry/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(body)), body...)
		answers := bufio.NewReader(conn)
		for b.Loop() {
			if code, _, err := exchange(conn, answers, request); code != http.StatusOK {
				b.Fatal(code, err)
			}
		}
	})

	b.Run("client=http", func(b *testing.B) {
		for b.Loop() {
			answer, err := http.Post(server.URL+"/submit/telemetry/x", "", bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}

			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
	})
}
