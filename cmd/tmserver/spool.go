package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest"
	"github.com/aitgithub/telemetry-server/layout"
)

// rejectedSuffix is appended to the name of a spooled file that is no raw log.
const rejectedSuffix = ".rejected"

// spoolPickup returns what converts the files of the spool folder, nil if there
// is none. A file's records are published under a name that depends on its
// content, so a crash before it is removed doubles nothing.
func (f *sourceFlags) spoolPickup(data *layout.Data, converter func() *ingest.Converter, metrics *ingest.Metrics, log *slog.Logger) (*ingest.Pickup, error) {
	if f.Spool == "" {
		return nil, nil
	}
	dir, err := os.OpenRoot(f.Spool)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}
	dir.Close()
	convert := func(ctx context.Context, name string) error {
		path := filepath.Join(f.Spool, name)
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		source, err := contentSource(file, io.Discard)
		if err != nil {
			return err
		}
		r := ingest.NewFrameReader(file, ingest.VersionOf(name))
		r.Source = name
		start := time.Now()
		s, err := ingest.ConvertFrames(ctx, data, source, r, converter())
		if errors.Is(err, ingest.ErrVersion) {
			log.Error("a spooled file is no raw log", "log", name, "err", err)
			return os.Rename(path, path+rejectedSuffix)
		}
		if err != nil {
			return err
		}
		converted(log, metrics, name, s, start)
		return os.Remove(path)
	}
	list := func() ([]string, error) {
		entries, err := os.ReadDir(f.Spool)
		if err != nil {
			return nil, fmt.Errorf("list spool folder: %w", err)
		}
		var names []string
		for _, e := range entries {
			if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ingest.FinishedSuffix) {
				names = append(names, e.Name())
			}
		}
		return names, nil
	}
	return &ingest.Pickup{List: list, Convert: convert, Workers: 1, Logger: log}, nil
}

// converted tells people and metrics what became of a raw log.
func converted(log *slog.Logger, metrics *ingest.Metrics, name string, s ingest.Stats, start time.Time) {
	metrics.Converted(s)
	log.Info("converted", "log", name, "submissions", s.Submissions, "records", s.Records,
		"invalid", s.Quarantined(), "repeated", s.Repeated, "bytes_lost", s.BytesLost, "segments", len(s.Published), "took", time.Since(start))
}
