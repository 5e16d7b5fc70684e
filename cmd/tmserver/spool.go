package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
)

// openSpool returns what publishes the files of the spool folder, nil if there
// is none. Its conversions rest while clients wait for raw. The caller closes its Dir.
func (f *sourceFlags) openSpool(store *store, raw *rawlog.Log, metrics *ingest.Metrics, log *slog.Logger) (*worker.Spool, error) {
	if f.Spool == "" {
		return nil, nil
	}
	dir, err := os.OpenRoot(f.Spool)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, fmt.Errorf("--spool: %w", err))
	}
	convert := func(ctx context.Context, source string, r *rawlog.Reader) (worker.Stats, error) {
		start := time.Now()
		o, err := store.conversion(raw.Pace())
		if err != nil {
			return worker.Stats{}, err
		}
		s, err := worker.ConvertFrames(ctx, store.Data, source, r, o)
		if err == nil {
			converted(log, metrics, r.Source, s, start)
		}
		return s, err
	}
	return &worker.Spool{Dir: dir, Convert: convert, Logger: log}, nil
}

// converted tells people and metrics what became of a raw log.
func converted(log *slog.Logger, metrics *ingest.Metrics, name string, s worker.Stats, start time.Time) {
	metrics.Converted(s)
	log.Info("converted", "log", name, "submissions", s.Submissions, "records", s.Records,
		"invalid", s.Quarantined(), "repeated", s.Repeated, "filtered", s.FilteredOut(), "bytes_lost", s.BytesLost, "segments", len(s.Published), "took", time.Since(start))
}
