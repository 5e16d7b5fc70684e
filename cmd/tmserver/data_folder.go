package main

import (
	"context"
	"errors"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// storeFlags say how submissions become records of a data folder; every command
// that converts raw logs embeds them.
type storeFlags struct {
	revisionFlags `embed:""`
	filterFlags   `embed:""`
	DropRepeats   int    `env:"TMSERVER_DROP_REPEATS" default:"3" placeholder:"DAYS" help:"Drop, and count, submissions whose ID and body were received within so many days before; 0 keeps all."`
	PublishTo     string `env:"TMSERVER_PUBLISH_TO" placeholder:"URL" help:"Object store to publish segments to, such as s3://bucket/prefix?region=us-east-1, instead of the data folder. Raw logs, quarantine and state stay there."`
}

// store is a data folder, and what converts into it.
type store struct {
	*layout.Data
	defs    *revisions.Cache
	options convert.Options
	filters *filterFolder
}

// openStore opens the data folder, made if missing, and finishes what a crash left
// of a commit. The caller closes the store.
func (f *storeFlags) openStore(ctx context.Context, st *cli.State, dir string) (_ *store, err error) {
	if f.DropRepeats < 0 {
		return nil, cli.Usage("--drop-repeats %d: cannot be negative", f.DropRepeats)
	}
	s := &store{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.Data, err = layout.OpenData(dir); err != nil {
		return nil, err
	}
	s.DropRepeats(f.DropRepeats)
	if f.PublishTo != "" {
		if err := s.PublishTo(f.PublishTo); err != nil {
			return nil, cli.Fail(cli.ExitUsage, err)
		}
	}
	if err := s.Recover(ctx); err != nil {
		return nil, err
	}
	if s.defs, err = f.open(st, dir); err != nil {
		return nil, err
	}
	s.options = f.converterOptions(s.Schema())
	s.filters, err = f.openFilters(ctx, st.Log, s.defs)
	return s, err
}

// newConverter returns a Converter for one goroutine.
func (s *store) newConverter() *convert.Converter { return convert.New(s.defs, s.options) }

// conversion returns what a raw log is converted with, from its start to its end:
// the filter is the one that is in use now. An error says that there is one, but
// it does not work; then the raw log has to wait.
func (s *store) conversion(pace func()) (worker.Options, error) {
	f, err := s.filters.ingest()
	return worker.Options{Converter: s.newConverter(), Filter: f, Pace: pace}, err
}

// Close releases what openStore opened; nothing converts any more.
func (s *store) Close() error {
	var errs []error
	if s.defs != nil {
		errs = append(errs, s.defs.Close())
	}
	if s.Data != nil {
		errs = append(errs, s.Data.Close())
	}
	return errors.Join(errs...)
}
