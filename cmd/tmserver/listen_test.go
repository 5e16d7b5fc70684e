package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// TestSlowClientsAreCutOff sends heads and bodies drop by drop, with the
// server's time limits shortened. None of them gets anything stored, and others
// are served meanwhile.
func TestSlowClientsAreCutOff(t *testing.T) {
	dir := t.TempDir()
	log := ingesttest.Log(t, dir, nil)
	c := &serveCmd{MaxConnections: 100}
	s := c.newServer("127.0.0.1:0", ingest.NewHandler(log, ingest.DefaultHandlerOptions()), nil, slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 {
		t.Fatalf("a time limit is missing: %+v", s)
	}
	s.ReadHeaderTimeout = 100 * time.Millisecond
	s.ReadTimeout = 300 * time.Millisecond
	s.IdleTimeout = 100 * time.Millisecond
	ls, err := (&serving{c: c, budget: budget{connections: 100, ofAddress: 100}}).listenAll([]*http.Server{s}, nil)
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(ls[0])
	defer s.Close()

	for name, start := range map[string]string{
		"head": "POST /submit/telemetry/slow HTTP/1.1\r\nHost: x\r\nX-",
		"body": "POST /submit/telemetry/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
		"idle": "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if name == "body" && testing.Short() {
				t.Skip("a body may be slow for twenty seconds")
			}
			slow, err := net.Dial("tcp", ls[0].Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer slow.Close()
			io.WriteString(slow, start)

			ended := make(chan struct{})
			go func() {
				defer close(ended)
				io.Copy(io.Discard, slow) // until the server closes the connection
			}()
			for name != "idle" {
				select {
				case <-ended:
					return
				case <-time.After(20 * time.Millisecond):
					io.WriteString(slow, "x")
				}
			}
			<-ended
		})
	}

	// On a busy machine the quick clients are slow at times, and cut off too.
	tr := &http.Transport{DisableKeepAlives: true}
	ingesttest.Wait(t, func() bool {
		resp, err := (&http.Client{Transport: tr}).Post("http://"+ls[0].Addr().String()+"/submit/telemetry/quick", "", strings.NewReader("{}"))
		if err != nil {
			t.Log(err)
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	stored := ingesttest.Stored(t, dir)
	if len(stored) == 0 || slices.ContainsFunc(stored, func(s string) bool { return s != "quick={}" }) {
		t.Errorf("stored: %q", stored)
	}
}

// TestStopFinishesWhatIsInHand stops a server while a body is on its way: new
// connections are refused, that submission gets its 200, and it is published before the
// end.
func TestStopFinishesWhatIsInHand(t *testing.T) {
	dir := t.TempDir()
	s := ingesttest.Serve(t, "tmserver", dir)
	addr := strings.TrimPrefix(s.URL, "http://")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const body = `{"ver":2,"info":{"appName":"Firefox"}}`
	fmt.Fprintf(c, "POST /submit/telemetry/last HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	answers := bufio.NewReader(c)
	if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatal(resp, err)
	}

	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ingesttest.Wait(t, func() bool {
		other, err := net.Dial("tcp", addr)
		if err == nil {
			other.Close()
		}
		return err != nil
	})

	io.WriteString(c, body)
	if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the submission in hand: %v, %v", resp, err)
	}

	if err := s.Cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got := ingesttest.Published(t, dir); got["last"] != 1 {
		t.Errorf("published: %v", got)
	}
}

// TestConnectionsAreLimited opens one connection more than is allowed: it is
// served when another one has gone.
func TestConnectionsAreLimited(t *testing.T) {
	s := ingesttest.Serve(t, "tmserver", t.TempDir(), "--max-connections", "2", "--max-address-connections", "2")
	dial := func() net.Conn {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	submit := func(c net.Conn) error {
		_, err := io.WriteString(c, "POST /submit/telemetry/i HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
		return err
	}
	answered := func(c net.Conn) (string, error) { return bufio.NewReader(c).ReadString('\n') }

	first, second := dial(), dial()
	for _, c := range []net.Conn{first, second} {
		submit(c)
		if line, err := answered(c); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err)
		}
	}

	third := dial()
	submit(third)
	third.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if line, err := answered(third); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a third connection got %q, %v", line, err)
	}

	first.Close()
	third.SetReadDeadline(time.Now().Add(time.Minute))
	if line, err := answered(third); err != nil || !strings.Contains(line, "200") {
		t.Errorf("when one has gone: %q, %v", line, err)
	}
}

// TestServeTLS serves with a certificate, over HTTP/2 and HTTP/1.1.
func TestServeTLS(t *testing.T) {
	certFile, keyFile := ingesttest.Certificate(t)
	pem, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	s := ingesttest.Serve(t, "tmserver", t.TempDir(), "--tls-cert", certFile, "--tls-key", keyFile)
	for _, http2 := range []bool{true, false} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}
		resp, err := (&http.Client{Transport: tr}).Post(s.URL+"/submit/telemetry/i", "", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(resp.Body).ReadString('\n')
		resp.Body.Close()
		tr.CloseIdleConnections()
		if resp.StatusCode != http.StatusOK || line != "OK" || (resp.ProtoMajor == 2) != http2 {
			t.Errorf("%s %s %q", resp.Proto, resp.Status, line)
		}
	}
}
