package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
)

// serveCmd receives submissions, and converts and publishes them.
type serveCmd struct {
	Config      configFile    `env:"TMSERVER_CONFIG" placeholder:"FILE" help:"JSON object with values for these flags (_ for -); the predecessor's keys are understood."`
	DataDir     string        `env:"TMSERVER_DATA_DIR" required:"" short:"d" placeholder:"DIR" help:"Data folder; made if missing."`
	Listen      string        `env:"TMSERVER_LISTEN" default:":8080" placeholder:"ADDR" help:"Address for submissions; port 0 takes a free one."`
	AdminListen string        `env:"TMSERVER_ADMIN_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDR" help:"Address for operators; empty for none."`
	ReadyFile   string        `env:"TMSERVER_READY_FILE" placeholder:"FILE" help:"Write the addresses to FILE once connections are accepted."`
	MaxBody     int64         `env:"TMSERVER_MAX_BODY" default:"204800" placeholder:"BYTES" help:"Longest body stored."`
	MaxPath     int           `env:"TMSERVER_MAX_PATH" default:"10240" placeholder:"BYTES" help:"Longest path stored."`
	MaxLogSize  int64         `env:"TMSERVER_MAX_LOG_SIZE" default:"524288000" placeholder:"BYTES" help:"Size from which on a raw log is finished and converted."`
	MaxLogAge   time.Duration `env:"TMSERVER_MAX_LOG_AGE" default:"5m" help:"Time after its first submission when a raw log is finished and converted."`
	Workers     int           `env:"TMSERVER_WORKERS" default:"1" help:"Raw logs converted at the same time; 0 leaves them to tmserver convert."`
	DrainTime   time.Duration `env:"TMSERVER_DRAIN_TIME" default:"30s" help:"How long requests in hand may take after SIGTERM."`

	AdminToken      string `env:"TMSERVER_ADMIN_TOKEN" placeholder:"TOKEN" help:"Bearer token for the admin address; needed unless it is a loopback address. Better given in the environment."`
	TLSCert         string `env:"TMSERVER_TLS_CERT" type:"existingfile" placeholder:"FILE" help:"Certificate chain (PEM); with --tls-key, both addresses speak TLS."`
	TLSKey          string `env:"TMSERVER_TLS_KEY" type:"existingfile" placeholder:"FILE" help:"Private key of the certificate (PEM)."`
	H2C             bool   `env:"TMSERVER_H2C" name:"h2c" help:"Also speak HTTP/2 without TLS, as some load balancers do."`
	MaxConnections  int    `env:"TMSERVER_MAX_CONNECTIONS" default:"10000" help:"Connections at the same time; more wait to be accepted."`
	MaxInFlight     int64  `env:"TMSERVER_MAX_IN_FLIGHT" default:"268435456" placeholder:"BYTES" help:"Memory for bodies being received; requests beyond it are answered 503."`
	Reserve         int64  `env:"TMSERVER_RESERVE" default:"268435456" placeholder:"BYTES" help:"Free space below which submissions are answered 507."`
	RequestLog      string `env:"TMSERVER_REQUEST_LOG" placeholder:"FILE" help:"Append JSON lines about requests to FILE."`
	RequestLogEvery uint64 `env:"TMSERVER_REQUEST_LOG_EVERY" default:"1" placeholder:"N" help:"Log every Nth request only."`

	TrustedProxies []string `env:"TMSERVER_TRUSTED_PROXIES" placeholder:"CIDR" help:"With --geo-db: proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8."`

	countryFlags `embed:""`
	sourceFlags  `embed:""`
	storeFlags   `embed:""`
	idleFlags    `embed:""`
}

func (*serveCmd) Help() string {
	return `Runs until SIGTERM or SIGINT, then stops accepting, answers the requests in hand,
finishes the raw log, converts and publishes it. A second signal ends the
program at once; what was answered with 200 is converted by the next start.

Submissions also come from a Kafka topic with --kafka-brokers and --kafka-topic.
Their offsets are committed when they are durable, so a crash loses none and may
deliver the last ones twice, which --drop-repeats then drops. With --spool, raw
logs of versions 1 to 3 that are renamed into a folder (one that has another name
while it is written) are published exactly once and removed; one that cannot be
read to its end is kept in damaged/ there.

The filters in the folder of --filters are loaded again when they change; one that
does not load leaves its version before in use, and /status says why. A raw log is
converted with one version of the ingest filter from its start to its end.

Prints "listening URL" and "admin URL" to stdout once connections are accepted.

EXIT STATUS: 0 stopped by a signal, everything published; 1 failed, or raw logs
remain that could not be converted; 2 usage or configuration.`
}

func (c *serveCmd) validate() error {
	switch {
	case c.MaxBody < 1 || c.MaxBody > rawlog.MaxBodyLimit:
		return cli.Usage("--max-body %d: want 1 to %d", c.MaxBody, rawlog.MaxBodyLimit)
	case c.MaxPath < 1 || c.MaxPath > rawlog.MaxPathBytes:
		return cli.Usage("--max-path %d: want 1 to %d", c.MaxPath, rawlog.MaxPathBytes)
	case c.MaxLogSize < 1:
		return cli.Usage("--max-log-size %d: want at least 1", c.MaxLogSize)
	case c.MaxLogAge <= 0:
		return cli.Usage("--max-log-age %v: want more than 0", c.MaxLogAge)
	case c.Workers < 0:
		return cli.Usage("--workers %d: want at least 0", c.Workers)
	case c.MaxConnections < 1:
		return cli.Usage("--max-connections %d: want at least 1", c.MaxConnections)
	case c.MaxInFlight < c.MaxBody:
		return cli.Usage("--max-in-flight %d: want at least --max-body", c.MaxInFlight)
	case c.Reserve < 0:
		return cli.Usage("--reserve %d: want at least 0", c.Reserve)
	case c.RequestLogEvery < 1:
		return cli.Usage("--request-log-every %d: want at least 1", c.RequestLogEvery)
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return cli.Usage("--tls-cert and --tls-key belong together")
	case c.AdminListen != "" && c.AdminToken == "" && !isLoopback(c.AdminListen):
		return cli.WithHint(cli.Usage("--admin-listen %s: others could reach it, and there is no token", c.AdminListen),
			"set TMSERVER_ADMIN_TOKEN, or listen on 127.0.0.1")
	}
	if err := c.idleFlags.validate(); err != nil {
		return err
	}
	return c.sourceFlags.validate()
}

func (c *serveCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if err := c.validate(); err != nil {
		return err
	}
	tune(st)
	store, err := c.openStore(ctx, st, c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	data := store.Data
	raw, err := data.Root().OpenRoot(layout.RawDir)
	if err != nil {
		return err
	}
	defer raw.Close()

	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := ingest.NewMetrics(reg)
	ingest.RegisterBacklog(reg, data)

	pickup := &worker.Pickup{Data: data, Workers: c.Workers, Logger: st.Log}
	lo := rawlog.DefaultOptions()
	lo.MaxBytes, lo.MaxAge, lo.Reserve = c.MaxLogSize, c.MaxLogAge, c.Reserve
	lo.Log, lo.Finished, lo.Committed = st.Log, pickup.Nudge, metrics.Committed
	log, err := rawlog.Open(raw, lo)
	if err != nil {
		return err
	}
	defer log.Close()
	pickup.Convert = func(ctx context.Context, name string) error {
		start := time.Now()
		o, err := store.conversion(log.Pace())
		if err != nil {
			return err
		}
		s, err := worker.ConvertLog(ctx, data, name, o)
		if err == nil {
			converted(st.Log, metrics, name, s, start)
		}
		return err
	}
	spool, err := c.openSpool(store, log, metrics, st.Log)
	if err != nil {
		return err
	}

	ho := ingest.DefaultHandlerOptions()
	if ho.TrustedProxies, err = c.trustedProxies(); err != nil {
		return err
	}
	ho.MaxBody, ho.MaxPath, ho.MaxInFlight = c.MaxBody, c.MaxPath, c.MaxInFlight
	if ho.Countries, err = c.openCountries(); err != nil {
		return err
	}
	if ho.Countries != nil {
		defer ho.Countries.Close()
	}
	ho.Schema, ho.Definitions, ho.Converter = data.Schema(), store.defs, store.newConverter
	ho.Status, ho.Metrics, ho.Log = statusOf(store, st.Now), metrics, st.Log
	if c.RequestLog != "" {
		f, err := os.OpenFile(c.RequestLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		ho.RequestLog, ho.RequestLogEvery = slog.New(slog.NewJSONHandler(f, nil)), c.RequestLogEvery
	}
	sources, err := c.openSources(st, c, log, reg)
	if err != nil {
		return err
	}
	servers := []*http.Server{c.newServer(c.Listen, ingest.NewHandler(log, ho), st.Log)}
	if c.AdminListen != "" {
		servers = append(servers, c.newServer(c.AdminListen, newAdmin(reg, c.AdminToken), st.Log))
	}
	listeners, err := c.listenAll(servers, metrics.Answered)
	if err != nil {
		return err
	}
	if err := c.announce(st, listeners); err != nil {
		return errors.Join(err, closeAll(listeners))
	}

	// 1 converts and tidies up; 2 takes from other sources; 3 serves until the signal
	// or until a listener fails.
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	var workers sync.WaitGroup
	if c.Workers > 0 {
		workers.Go(func() { pickup.Run(working) })
	}
	workers.Go(func() { store.filters.run(working) })
	workers.Go(func() { c.compactWhenIdle(working, data, st.Now, st.Log) })
	if spool != nil {
		defer spool.Dir.Close()
		workers.Go(func() { spool.Run(working) })
	}
	feeding, stopFeeding := context.WithCancel(ctx)
	defer stopFeeding()
	var feeders sync.WaitGroup
	for _, run := range sources {
		feeders.Go(func() { run(feeding) })
	}
	err = serveHTTP(ctx, servers, listeners, c.DrainTime)
	stopFeeding()
	feeders.Wait()

	// In the direction of the flow: the handlers and the other sources have ended,
	// now the raw log, the conversion in hand, and what that left.
	err = errors.Join(err, log.Close())
	stopWorking()
	workers.Wait()
	if c.Workers == 0 {
		return err
	}
	return errors.Join(err, pickup.Drain(context.WithoutCancel(ctx)))
}

func (c *serveCmd) trustedProxies() (ps []netip.Prefix, err error) {
	for _, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, cli.Usage("--trusted-proxies: %w", err)
		}
		ps = append(ps, p.Masked())
	}
	return ps, nil
}

// serverStatus is what /status answers.
type serverStatus struct {
	Status  string         `json:"status"`
	Version string         `json:"version"`
	Uptime  float64        `json:"uptime_seconds"`
	Backlog worker.Backlog `json:"backlog"`
	Free    int64          `json:"free_bytes"`
	Filters *filtersStatus `json:"filters,omitempty"`
}

// statusOf returns what finds out the status of a server that starts now.
func statusOf(data *store, now func() time.Time) func() any {
	start := now()
	return func() any {
		s := serverStatus{Status: "OK", Version: cli.Version(), Uptime: now().Sub(start).Seconds(), Filters: data.filters.status()}
		var err, err2 error
		s.Backlog, err = worker.ReadBacklog(data.Root(), now())
		if s.Free, err2 = rawlog.FreeSpace(data.Root()); errors.Join(err, err2) != nil {
			s.Status = "data folder cannot be read"
		}
		return s
	}
}

// tune sets the runtime up for taking submissions in, where the environment does
// not say otherwise.
func tune(st *cli.State) {
	// Whoever waits for the disk keeps a processor of the scheduler for a while, and
	// must wait for one when the disk is done.
	if st.Env("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	}
	// A server that only takes submissions in has a few megabytes alive and would
	// collect dozens of times per second. The memory limit makes collection strict
	// again when a conversion needs much.
	if st.Env("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if st.Env("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(2 << 30)
	}
}
