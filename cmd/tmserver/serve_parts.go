package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/cmd/tmserver/admin"
	"github.com/aitgithub/telemetry-server/engine/measures"
	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/ingest/intake"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/tap"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
)

// serveParts are the parts of serve, in the order in which they are built and started.
// They are stopped and closed in reverse, which is the direction in which submissions
// flow:
//
//	10 HTTP ─┐   9 certificate (for 10)   8 jobs, which read what is published
//	7 Kafka ─┴─► 2 raw logs ──┐
//	6 spool folder ───────────┼─► 1 data folder
//	5 compaction ─────────────┘       │
//	4 page (for 10) ◄──────────────────┘
//	3 filters (for 2 and 6)
//
// To add a part: a build function beside its flags, and a row here, after the parts
// that it needs. What later parts need of it is a field of serving.
var serveParts = []struct {
	name  string
	build func(*serving, context.Context) (part, error)
}{
	{"data folder", (*serving).buildDataFolder},
	{"raw logs", (*serving).buildRawLogs},
	{"filters", (*serving).buildFilters},
	{"page", (*serving).buildPage},
	{"compaction", (*serving).buildCompaction},
	{"spool folder", (*serving).buildSpool},
	{"Kafka", (*serving).buildKafka},
	{"jobs", (*serving).buildJobs},
	{"certificate", (*serving).buildCertificate},
	{"HTTP", (*serving).buildHTTP},
}

// part is one of the things that serve consists of. Functions that have nothing to do
// are nil.
type part struct {
	// start starts what the part does in the background.
	start func()
	// stop ends that and waits for its end. It is called once, if start was.
	stop func() error
	// close releases what build opened. It is called once, after stop.
	close func() error
}

// serving is a serve command at work: its parts, and what they share.
type serving struct {
	c     *serveCmd
	st    *cli.State
	parts []part

	budget    budget
	registry  *prometheus.Registry
	metrics   *ingest.Metrics
	overLimit overLimitCounts
	health    *health
	reloaders reloaders
	failed    chan error // a part that ended by itself says why; serve stops then

	// What follows is set by the part that is named.
	folder *dataFolder    // data folder
	log    *rawlog.Log    // raw logs
	worker *worker.Worker // raw logs
	// published counts the raw logs whose records this server has published.
	published atomic.Int64
	api       *admin.API // jobs; nil: the server runs none

	days *measures.Store // page

	publicTLS, adminTLS *tls.Config // certificate; nil: without TLS

	tap       *tap.Tap // HTTP: shows submissions at the admin address
	submitURL address  // HTTP: for the page
	addresses string   // HTTP: where it listens, for the log
}

func newServing(c *serveCmd, st *cli.State) *serving {
	// A registry of its own, so that a second server in a test's process can have one.
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)

	return &serving{
		c:        c,
		st:       st,
		registry: registry,
		metrics:  ingest.NewMetrics(registry),
		health:   &health{stuckAfter: c.StuckAfter},
		failed:   make(chan error, 1),
	}
}

// build builds a part.
func (s *serving) build(ctx context.Context, build func(*serving, context.Context) (part, error)) error {
	built, err := build(s, ctx)
	if err != nil {
		return err
	}

	s.parts = append(s.parts, built)
	return nil
}

// start starts the parts in order.
func (s *serving) start() {
	for _, p := range s.parts {
		if p.start != nil {
			p.start()
		}
	}
}

// stop stops the parts in reverse.
func (s *serving) stop() error {
	var errs []error
	for _, p := range slices.Backward(s.parts) {
		if p.stop != nil {
			errs = append(errs, p.stop())
		}
	}
	return errors.Join(errs...)
}

// close closes the parts in reverse.
func (s *serving) close() error {
	var errs []error
	for _, p := range slices.Backward(s.parts) {
		if p.close != nil {
			errs = append(errs, p.close())
		}
	}
	return errors.Join(errs...)
}

// inBackground returns a part that runs run, until its context ends at stop or with ctx.
func inBackground(ctx context.Context, run func(context.Context)) part {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup

	return part{
		start: func() { running.Go(func() { run(ctx) }) },
		stop: func() error {
			cancel()
			running.Wait()
			return nil
		},
		close: func() error { // if it was never started
			cancel()
			return nil
		},
	}
}

// buildDataFolder opens the data folder.
func (s *serving) buildDataFolder(ctx context.Context) (part, error) {
	s.c.fetchesPerMinute = s.c.MaxFetches
	s.c.maxWait = s.c.MaxWait
	folder, err := s.c.openDataFolder(ctx, s.st, s.c.DataDir)
	if err != nil {
		return part{}, err
	}

	s.folder = folder
	s.watchSchemas(folder.options.Schemas)
	ingest.RegisterBacklog(s.registry, folder.Data)
	return part{close: folder.Close}, nil
}

// stopFetchingAfter is how long after the signal definitions are still fetched.
const stopFetchingAfter = 5 * time.Second

// buildRawLogs opens the raw log that submissions are appended to, and converts those
// that are finished. At stop it finishes the raw log and converts what there is.
func (s *serving) buildRawLogs(ctx context.Context) (part, error) {
	dir, err := s.folder.Root().OpenRoot(layout.RawDir)
	if err != nil {
		return part{}, err
	}

	// The log that submissions are appended to.
	finished := intake.NewSignal()
	options := rawlog.DefaultOptions()
	options.MaxBytes = s.c.MaxLogSize
	options.MaxAge = s.c.MaxLogAge
	options.Reserve = s.c.Reserve
	options.Log = s.st.Log
	options.Finished = finished.Notify
	options.Committed = s.metrics.Committed
	options.Attached = func() error { return isFolder(s.folder.Root(), layout.RawDir, dir) }
	s.log, err = rawlog.Open(dir, options)
	if err != nil {
		return part{}, errors.Join(err, dir.Close())
	}

	s.health.log = s.log

	// The worker, which the spool folder uses too. It pauses while clients wait for the
	// log.
	s.worker = s.folder.newWorker(s.log, conversionReporter{s.metrics, &s.overLimit, &s.published, s.st.Log})
	close := func() error { return errors.Join(s.log.Close(), dir.Close()) }
	if s.c.Workers == 0 { // tmserver convert converts them
		return part{stop: s.log.Close, close: close}, nil
	}

	// The finished logs.
	raw := intake.NewRawFolder(s.folder.Root(), s.worker, intake.RawFolderOptions{
		Workers:  s.c.Workers,
		Finished: finished,
		Log:      s.st.Log,
		Stranger: s.metrics.Stranger,
	})
	s.health.raw = raw
	ctx = context.WithoutCancel(ctx)
	watch := inBackground(ctx, raw.Run)

	return part{
		start: watch.start,
		stop: func() error {
			// A slow revision server must not hold up the end.
			s.folder.definitions.StopFetching(stopFetchingAfter)

			// Finish the log, end the conversions in hand, then convert what is left.
			return errors.Join(s.log.Close(), watch.stop(), withStrangerCode(raw.Drain(ctx)))
		},
		close: func() error { return errors.Join(watch.close(), close()) },
	}, nil
}

// isFolder returns an error unless the folder of that name below root is dir.
func isFolder(root *os.Root, name string, dir *os.Root) error {
	opened, err := dir.Stat(".")
	if err != nil {
		return err
	}
	named, err := root.Lstat(name)
	if err == nil && !os.SameFile(opened, named) {
		err = fmt.Errorf("%s is another folder than when the server started", name)
	}
	return err
}

// buildFilters loads filters again when they change.
func (s *serving) buildFilters(ctx context.Context) (part, error) {
	s.reloaders.add(func() error {
		s.folder.filters.reload()
		return nil
	})
	return inBackground(context.WithoutCancel(ctx), s.folder.filters.run), nil
}

// conversionReporter reports converted raw logs to people and metrics.
type conversionReporter struct {
	metrics *ingest.Metrics
	over    *overLimitCounts
	logs    *atomic.Int64
	log     *slog.Logger
}

// Converted implements worker.Reporter.
func (r conversionReporter) Converted(name string, stats worker.Stats, took time.Duration) {
	r.metrics.Converted(stats)
	r.over.add(stats)
	r.logs.Add(1)
	for kind, values := range stats.OverLimit {
		r.log.Warn("new values beyond the limit became OTHER; tmserver stats lists the most frequent ones", "log", name, "kind", kind, "values", len(values))
	}
	r.log.Info("converted", "log", name, "submissions", stats.Submissions, "records", stats.Records,
		"invalid", stats.AllQuarantined(), "repeated", stats.Repeated, "conflicts", stats.Conflicts, "forgotten", stats.Forgotten, "filtered", stats.AllFiltered(),
		"bytes_lost", stats.BytesLost, "segments", len(stats.Published), "took", took)
}

// watchSignals reloads at SIGHUP, and goes on when a reader of its output ends, until the
// result is called.
func (s *serving) watchSignals() (stop func()) {
	// Only a program that asks for SIGPIPE survives a broken stdout or stderr. Children
	// have its default again, as they would not if it were ignored.
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)

	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-hangups:
			}

			if errs := s.reloaders.reload(); len(errs) > 0 {
				s.st.Log.Error("SIGHUP: what cannot be loaded stays as it was", "err", errors.Join(errs...))
				continue
			}
			s.st.Log.Info("SIGHUP: certificate, filters and request log are loaded again")
		}
	})

	return func() {
		signal.Stop(pipes)
		signal.Stop(hangups)
		close(done)
		watching.Wait()
	}
}
