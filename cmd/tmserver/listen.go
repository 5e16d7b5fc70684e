package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest"
)

// announce tells people and scripts where the server listens.
func (c *serveCmd) announce(st *cli.State, listeners []net.Listener) error {
	text, scheme := "", "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	for i, l := range listeners {
		text += fmt.Sprintf("%s %s://%s\n", []string{"listening", "admin"}[i], scheme, l.Addr())
	}
	if _, err := fmt.Fprint(st.Stdout, text); err != nil {
		return err
	}
	if c.ReadyFile == "" {
		return nil
	}
	temp := c.ReadyFile + ".tmp" // a script that sees the file sees all of it
	if err := os.WriteFile(temp, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, c.ReadyFile)
}

// Timeouts of a connection, for clients that are slow on purpose or have gone.
const (
	headTimeout = 10 * time.Second
	bodyTimeout = time.Minute // for a whole request, its head included
	idleTimeout = 2 * time.Minute
	// maxHeadBytes has room for the longest path and the usual header fields.
	maxHeadBytes = 32 << 10
)

func (c *serveCmd) newServer(addr string, h http.Handler, log *slog.Logger) *http.Server {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(c.TLSCert != "")
	p.SetUnencryptedHTTP2(c.H2C)
	return &http.Server{
		Protocols: &p,
		Addr:      addr, Handler: h,
		ReadHeaderTimeout: headTimeout, ReadTimeout: bodyTimeout,
		WriteTimeout: bodyTimeout + 30*time.Second, // counted from the end of the head
		IdleTimeout:  idleTimeout, MaxHeaderBytes: maxHeadBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// listenAll opens the servers' addresses. The first one, which anybody may reach,
// takes a limited number of connections; for refused see ingest.FewerReads.
func (c *serveCmd) listenAll(servers []*http.Server, refused func(code int)) ([]net.Listener, error) {
	if c.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, cli.Fail(cli.ExitUsage, err)
		}
		for _, s := range servers {
			s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		}
	}
	var ls []net.Listener
	for _, s := range servers {
		l, err := net.Listen("tcp", s.Addr)
		if err != nil {
			return nil, errors.Join(err, closeAll(ls))
		}
		if len(ls) == 0 {
			l = netutil.LimitListener(ingest.FewerReads(l, refused), c.MaxConnections)
		}
		ls = append(ls, l)
	}
	return ls, nil
}

func closeAll(ls []net.Listener) error {
	var errs []error
	for _, l := range ls {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// serveHTTP serves until ctx ends or a server fails, then stops accepting and
// returns when all requests in hand are answered or drain has passed.
func serveHTTP(ctx context.Context, servers []*http.Server, listeners []net.Listener, drain time.Duration) error {
	failed := make(chan error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			serve := func() error { return s.Serve(listeners[i]) }
			if s.TLSConfig != nil {
				serve = func() error { return s.ServeTLS(listeners[i], "", "") }
			}
			if err := serve(); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s: %w", s.Addr, err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(soon) != nil { // who has not sent all by now is cut off, unanswered
			s.Close()
		}
	}
	wg.Wait()
	return err
}
