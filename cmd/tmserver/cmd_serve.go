package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// serveCmd receives submissions, and converts and publishes them.
type serveCmd struct {
	DataDir     string        `required:"" short:"d" placeholder:"DIR" help:"Data folder; made if missing."`
	Listen      string        `default:":8080" placeholder:"ADDR" help:"Address for submissions; port 0 takes a free one."`
	AdminListen string        `default:"127.0.0.1:8081" placeholder:"ADDR" help:"Address for operators; empty for none."`
	ReadyFile   string        `placeholder:"FILE" help:"Write the addresses to FILE once connections are accepted."`
	MaxBody     int64         `default:"204800" placeholder:"BYTES" help:"Longest body stored."`
	MaxPath     int           `default:"10240" placeholder:"BYTES" help:"Longest path stored."`
	MaxLogSize  int64         `default:"524288000" placeholder:"BYTES" help:"Size from which on a raw log is finished and converted."`
	MaxLogAge   time.Duration `default:"5m" help:"Time after its first submission when a raw log is finished and converted."`
	Workers     int           `default:"1" help:"Raw logs converted at the same time."`
	DrainTime   time.Duration `default:"30s" help:"How long requests in hand may take after SIGTERM."`

	revisionFlags `embed:""`
}

func (*serveCmd) Help() string {
	return `Runs until SIGTERM or SIGINT, then stops accepting, answers the requests in hand,
finishes the raw log, converts and publishes it. A second signal ends the
program at once; what was answered with 200 is converted by the next start.

Prints "listening URL" and "admin URL" to stdout once connections are accepted.

EXIT STATUS: 0 stopped by a signal, everything published; 1 failed, or raw logs
remain that could not be converted; 2 usage or configuration.`
}

func (c *serveCmd) validate() error {
	switch {
	case c.MaxBody < 1 || c.MaxBody > ingest.MaxBodyLimit:
		return cli.Usage("--max-body %d: want 1 to %d", c.MaxBody, ingest.MaxBodyLimit)
	case c.MaxPath < 1 || c.MaxPath > ingest.MaxPathBytes:
		return cli.Usage("--max-path %d: want 1 to %d", c.MaxPath, ingest.MaxPathBytes)
	case c.MaxLogSize < 1:
		return cli.Usage("--max-log-size %d: want at least 1", c.MaxLogSize)
	case c.MaxLogAge <= 0:
		return cli.Usage("--max-log-age %v: want more than 0", c.MaxLogAge)
	case c.Workers < 1:
		return cli.Usage("--workers %d: want at least 1", c.Workers)
	}
	return nil
}

func (c *serveCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if err := c.validate(); err != nil {
		return err
	}
	data, err := layout.OpenData(c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	if err := data.Recover(ctx); err != nil {
		return err
	}
	raw, err := data.Root().OpenRoot(layout.RawDir)
	if err != nil {
		return err
	}
	defer raw.Close()

	defs, err := c.open(st, c.DataDir)
	if err != nil {
		return err
	}
	defer defs.Close()
	pickup := &ingest.Pickup{Data: data, Convert: c.converter(data, defs, st.Log), Workers: c.Workers, Logger: st.Log}
	lo := ingest.DefaultLogOptions()
	lo.MaxBytes, lo.MaxAge, lo.Logger, lo.Finished = c.MaxLogSize, c.MaxLogAge, st.Log, pickup.Nudge
	log, err := ingest.OpenLog(raw, lo)
	if err != nil {
		return err
	}
	defer log.Close()

	ho := ingest.DefaultHandlerOptions()
	ho.MaxBody, ho.MaxPath, ho.Logger = c.MaxBody, c.MaxPath, st.Log
	ho.Schema, ho.Definitions = data.Schema(), defs
	ho.Converter = func() *ingest.Converter {
		return ingest.NewConverter(defs, c.converterOptions(data.Schema()))
	}
	servers := []*http.Server{newServer(c.Listen, ingest.NewHandler(log, ho), st.Log)}
	if c.AdminListen != "" {
		servers = append(servers, newServer(c.AdminListen, http.NotFoundHandler(), st.Log))
	}
	listeners, err := listen(servers)
	if err != nil {
		return err
	}
	if err := c.announce(st, listeners); err != nil {
		return errors.Join(err, closeAll(listeners))
	}

	// 1 converts; 2 serves until the signal or until a listener fails.
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	var worker sync.WaitGroup
	worker.Go(func() { pickup.Run(working) })
	err = serveHTTP(ctx, servers, listeners, c.DrainTime)

	// In the direction of the flow: the handlers have ended, now the raw log, the
	// conversion in hand, and what that left.
	err = errors.Join(err, log.Close())
	stopWorking()
	worker.Wait()
	return errors.Join(err, pickup.Drain(context.WithoutCancel(ctx)))
}

// converter returns what turns raw/<name> into published records.
func (c *serveCmd) converter(data *layout.Data, defs *revisions.Cache, log *slog.Logger) func(context.Context, string) error {
	return func(ctx context.Context, name string) error {
		start := time.Now()
		s, err := ingest.ConvertLog(ctx, data, name, ingest.NewConverter(defs, c.converterOptions(data.Schema())))
		if err != nil {
			return err
		}
		log.Info("converted", "log", name, "submissions", s.Submissions, "records", s.Records,
			"invalid", s.Quarantined(), "bytes_lost", s.BytesLost, "segments", len(s.Published), "took", time.Since(start))
		return nil
	}
}

// announce tells people and scripts where the server listens.
func (c *serveCmd) announce(st *cli.State, listeners []net.Listener) error {
	text := ""
	for i, l := range listeners {
		text += fmt.Sprintf("%s http://%s\n", []string{"listening", "admin"}[i], l.Addr())
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

func newServer(addr string, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h,
		ReadHeaderTimeout: headTimeout, ReadTimeout: bodyTimeout,
		WriteTimeout: bodyTimeout + 30*time.Second, // counted from the end of the head
		IdleTimeout:  idleTimeout, MaxHeaderBytes: maxHeadBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func listen(servers []*http.Server) ([]net.Listener, error) {
	var ls []net.Listener
	for _, s := range servers {
		l, err := net.Listen("tcp", s.Addr)
		if err != nil {
			return nil, errors.Join(err, closeAll(ls))
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
			if err := s.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
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
