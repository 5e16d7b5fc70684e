package main

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// serveCmd receives submissions, and converts and publishes them.
type serveCmd struct {
	Config      configFile    `env:"TMSERVER_CONFIG" placeholder:"FILE" help:"JSON object with values for these flags (_ for -); the predecessor's keys are understood."`
	DataDir     string        `env:"TMSERVER_DATA_DIR" required:"" short:"d" placeholder:"DIR" help:"Data folder; made if missing."`
	Listen      string        `env:"TMSERVER_LISTEN" default:":8080" placeholder:"ADDR" help:"Address for submissions; port 0 takes a free one."`
	AdminListen string        `env:"TMSERVER_ADMIN_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDR" help:"Address for operators; empty for none."`
	ReadyFile   string        `env:"TMSERVER_READY_FILE" placeholder:"FILE" help:"Write the addresses to FILE once connections are accepted."`
	MaxBody     int64         `env:"TMSERVER_MAX_BODY" default:"10485760" placeholder:"BYTES" help:"Longest body stored."`
	MaxPath     int           `env:"TMSERVER_MAX_PATH" default:"10240" placeholder:"BYTES" help:"Longest path stored."`
	MaxLogSize  int64         `env:"TMSERVER_MAX_LOG_SIZE" default:"524288000" placeholder:"BYTES" help:"Size from which on a raw log is finished and converted."`
	MaxLogAge   time.Duration `env:"TMSERVER_MAX_LOG_AGE" default:"5m" help:"Time after its first submission when a raw log is finished and converted."`
	Workers     int           `env:"TMSERVER_WORKERS" default:"1" help:"Raw logs converted at the same time; 0 leaves them to tmserver convert."`
	DrainTime   time.Duration `env:"TMSERVER_DRAIN_TIME" default:"30s" zero:"none" help:"How long requests in hand may take after SIGTERM; 0 ends them at once."`
	DrainDelay  time.Duration `env:"TMSERVER_DRAIN_DELAY" default:"0" zero:"none" help:"How long /readyz says no after SIGTERM, before connections are refused; 0 is not at all."`
	StuckAfter  time.Duration `env:"TMSERVER_STUCK_AFTER" default:"15m" zero:"never" help:"How long a raw log may fail to be converted before /readyz says no; 0 is for ever."`

	AdminToken      string `env:"TMSERVER_ADMIN_TOKEN" placeholder:"TOKEN" help:"Bearer token for the admin address; needed unless it is a loopback address. Better given in the environment."`
	ViewerToken     string `env:"TMSERVER_VIEWER_TOKEN" placeholder:"TOKEN" help:"Bearer token with which the admin address may only be read. Needs --admin-token. Better given in the environment."`
	H2C             bool   `env:"TMSERVER_H2C" name:"h2c" help:"Also speak HTTP/2 without TLS, as some load balancers do."`
	MaxConnections  int    `env:"TMSERVER_MAX_CONNECTIONS" default:"0" help:"Connections at the same time; more wait to be accepted. 0: 10000, or fewer on a machine with little memory. Never more than the open files of the process, less 256."`
	MaxInFlight     int64  `env:"TMSERVER_MAX_IN_FLIGHT" default:"0" placeholder:"BYTES" help:"Memory for bodies being received; requests beyond it are answered 503. 0: 256 MiB, or an eighth of --memory if that is less."`
	Memory          int64  `env:"TMSERVER_MEMORY" default:"0" placeholder:"BYTES" help:"Memory that the server may take. 0: that of its control group, or of the machine; more than 2.4 GB change nothing."`
	Reserve         int64  `env:"TMSERVER_RESERVE" default:"268435456" placeholder:"BYTES" help:"Free space below which submissions are answered 507."`
	RequestLog      string `env:"TMSERVER_REQUEST_LOG" placeholder:"FILE" help:"Append JSON lines about requests to FILE."`
	RequestLogEvery uint64 `env:"TMSERVER_REQUEST_LOG_EVERY" default:"1" placeholder:"N" help:"Log every Nth request only."`

	MaxAddressConnections int           `env:"TMSERVER_MAX_ADDRESS_CONNECTIONS" default:"0" placeholder:"N" help:"Connections of one address (of IPv6, a /64) at the same time, and requests of one that come through trusted proxies; more are closed, or answered 429. 0: a quarter of all connections."`
	MaxAddressRate        int           `env:"TMSERVER_MAX_ADDRESS_RATE" default:"0" placeholder:"N" help:"Requests per minute of one address; more are answered 429, which makes clients delete their pings. 0: any number."`
	MaxNamespaceRate      int           `env:"TMSERVER_MAX_NAMESPACE_RATE" default:"0" placeholder:"N" help:"Requests per minute of one namespace, /submit/NAMESPACE/…; as above. 0: any number."`
	MaxFetches            int           `env:"TMSERVER_MAX_FETCHES" default:"60" placeholder:"N" help:"Revisions that the revision server is asked for in a minute, at most; submissions of others wait, and the rest is published. 0: any number."`
	FetchForClients       bool          `env:"TMSERVER_FETCH_FOR_CLIENTS" help:"Let GET /histograms/… and /histogram_buckets ask the revision server, too. Default: they answer what is cached."`
	MaxWait               time.Duration `env:"TMSERVER_MAX_WAIT" default:"336h" help:"How long after its receipt a submission may wait for its definitions; then it is quarantined. 0: for ever."`

	TrustedProxies []string `env:"TMSERVER_TRUSTED_PROXIES" placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8."`

	countryFlags    `embed:""`
	sourceFlags     `embed:""`
	dataFolderFlags `embed:""`
	idleFlags       `embed:""`
	jobFlags        `embed:""`
	tlsFlags        `embed:""`
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

With --acme-domain the public address gets its certificate from Let's Encrypt, or
the authority of --acme-directory, and renews it; it is kept in state/acme/ of the
data folder. A certificate in files is loaded again when they change.

SIGHUP loads the certificate, the filters and the JSON Schemas again and opens the log
of requests anew, for a rotation of logs. GET /livez and /readyz say whether the server answers
and whether it is ready, GET /status with 503 that a submission would not be taken.

Prints "listening URL" and "admin URL" to stdout once connections are accepted.

EXIT STATUS: 0 stopped by a signal, everything published; 1 failed, or raw logs
remain that could not be converted; 2 usage or configuration; 4 a commit or the
index of definitions is damaged; 5 raw logs remain because of their filter.`
}

// validate checks what kong cannot: ranges, and flags that belong together.
func (c *serveCmd) validate() error {
	// Limits.
	switch {
	case c.MaxBody < 1 || c.MaxBody > rawlog.MaxBodyLimit:
		return cli.Usage("--max-body %d: want 1 to %d", c.MaxBody, rawlog.MaxBodyLimit)
	case c.MaxPath < 1 || c.MaxPath > rawlog.MaxPathBytes:
		return cli.Usage("--max-path %d: want 1 to %d", c.MaxPath, rawlog.MaxPathBytes)
	case c.MaxLogSize < 1:
		return cli.Usage("--max-log-size %d: want at least 1", c.MaxLogSize)
	case c.Workers < 0:
		return cli.Usage("--workers %d: want at least 0", c.Workers)
	case c.MaxAddressConnections < 0 || c.MaxAddressRate < 0 || c.MaxNamespaceRate < 0:
		return cli.Usage("--max-address-connections, --max-address-rate and --max-namespace-rate cannot be negative")
	case c.MaxFetches < 0:
		return cli.Usage("--max-fetches %d: cannot be negative", c.MaxFetches)
	case c.MaxWait < 0:
		return cli.Usage("--max-wait %v: cannot be negative", c.MaxWait)
	case c.MaxConnections < 0:
		return cli.Usage("--max-connections %d: cannot be negative", c.MaxConnections)
	case c.Memory != 0 && c.Memory < minMemory:
		return cli.Usage("--memory %d: want at least %d", c.Memory, minMemory)
	case c.MaxInFlight != 0 && c.MaxInFlight < ingest.InFlightOf(c.MaxPath, c.MaxBody):
		return cli.Usage("--max-in-flight %d: want at least %d, which one body of --max-body may take", c.MaxInFlight, ingest.InFlightOf(c.MaxPath, c.MaxBody))
	case c.Reserve < 0:
		return cli.Usage("--reserve %d: want at least 0", c.Reserve)
	case c.RequestLogEvery < 1:
		return cli.Usage("--request-log-every %d: want at least 1", c.RequestLogEvery)
	}

	// The admin address shows profiles: it is private, or has a token.
	switch {
	case c.AdminListen != "" && c.AdminToken == "" && !isLoopback(c.AdminListen):
		return cli.WithHint(cli.Usage("--admin-listen %s: others could reach it, and there is no token", c.AdminListen),
			"set TMSERVER_ADMIN_TOKEN, or listen on 127.0.0.1")
	case c.ViewerToken != "" && c.AdminToken == "":
		return cli.Usage("--viewer-token needs --admin-token: without it, everybody who reaches the admin address is an operator")
	case c.ViewerToken != "" && c.ViewerToken == c.AdminToken:
		return cli.Usage("--viewer-token and --admin-token are the same")
	}

	if err := errors.Join(c.validateTLS(), c.idleFlags.validate(), c.jobFlags.validate()); err != nil {
		return err
	}
	return c.sourceFlags.validate()
}

func (c *serveCmd) Run(ctx context.Context, st *cli.State) (err error) {
	if err := c.validate(); err != nil {
		return err
	}
	tuneRuntime(st)
	shared := c.budget(st)
	shared.limitHeap(st)

	// A part that cannot be built ends the program before anything has started.
	serving := newServing(c, st)
	serving.budget = shared
	defer func() { err = errors.Join(err, serving.close()) }()
	defer serving.watchSignals()()
	for _, row := range serveParts {
		if err := serving.build(ctx, row.build); err != nil {
			return err
		}
	}

	// Until a signal comes, or a part cannot go on.
	serving.start()
	st.Log.Info("started", "version", cli.Version(), "data_folder", c.DataDir, "addresses", serving.addresses)
	select {
	case <-ctx.Done():
		st.Log.Info("stopping: a signal came")
	case err = <-serving.failed:
		st.Log.Error("stopping: a part failed", "err", err)
	}

	err = errors.Join(err, serving.stop())
	st.Log.Info("stopped", "version", cli.Version(), "data_folder", c.DataDir, "addresses", serving.addresses)
	return err
}

// tuneRuntime sets the Go runtime up for a server that receives submissions, where the
// environment does not set it.
func tuneRuntime(st *cli.State) {
	// Two scheduler processors for each of the machine. A goroutine that waits for the
	// disk occupies one for a while; without a second one, the goroutine that writes the
	// raw log has to wait behind the handlers when the disk is done. The figures are in
	// docs/BENCHMARKS.md (1.15 times the submissions a second, 2026-11-28): measure with
	// GOMAXPROCS in the environment and make bench-acquire before changing it. What
	// computes in parallel uses as many goroutines as the machine has processors, which
	// is pipeline.Processors.
	if st.Env("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	}

	// A server that only receives has a few megabytes alive, and would collect garbage
	// dozens of times per second. The budget's memory limit makes collection strict again
	// when a conversion needs much.
	if st.Env("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}
