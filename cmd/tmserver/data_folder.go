package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/worker"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/limit"
	"github.com/aitgithub/telemetry-server/revisions"
)

// dataFolderFlags say how submissions become records of a data folder; every command
// that converts raw logs embeds them.
type dataFolderFlags struct {
	revisionFlags  `embed:""`
	filterFlags    `embed:""`
	repeatFlags    `embed:""`
	partitionFlags `embed:""`
	schemaFlags    `embed:""`
	PublishTo      string `env:"TMSERVER_PUBLISH_TO" placeholder:"URL" help:"Object store to publish segments to, such as s3://bucket/prefix?region=us-east-1, instead of the data folder. Raw logs, quarantine and state stay there."`

	maxWait time.Duration // serve sets it; see worker.Options
}

// partitionFlags bound what strangers can make on the disk.
type partitionFlags struct {
	MaxNewPartitions int `env:"TMSERVER_MAX_NEW_PARTITIONS" default:"2000" placeholder:"N" help:"New partitions that one raw log may make for a day of receipt; the versions and builds beyond become OTHER. 0: any number."`
	MaxDayTypes      int `env:"TMSERVER_MAX_DAY_TYPES" default:"500" placeholder:"N" help:"Types of pings, of all namespaces together, that a day of receipt may have; a raw log may make half as many new ones. The application and reason of those beyond become OTHER. 0: any number."`
	MaxDayPartitions int `env:"TMSERVER_MAX_DAY_PARTITIONS" default:"10000" placeholder:"N" help:"Partitions that a day of receipt may have; as above. 0: any number."`
}

// limit returns the limit that the flags set.
func (f *partitionFlags) limit() (limit.Limit, error) {
	switch {
	case f.MaxNewPartitions < 0:
		return limit.Limit{}, cli.Usage("--max-new-partitions %d: cannot be negative", f.MaxNewPartitions)
	case f.MaxDayPartitions < 0:
		return limit.Limit{}, cli.Usage("--max-day-partitions %d: cannot be negative", f.MaxDayPartitions)
	}
	return limit.Limit{PerLog: f.MaxNewPartitions, PerDay: f.MaxDayPartitions}, nil
}

// repeatFlags say what is dropped because it was received before.
type repeatFlags struct {
	DropRepeats int `env:"TMSERVER_DROP_REPEATS" default:"3" placeholder:"DAYS" help:"Drop, and count, submissions whose ID and body were received at most so many days before or after, in any raw log; 0 keeps all."`
}

// validate checks what kong cannot.
func (f *repeatFlags) validate() error {
	if f.DropRepeats < 0 || f.DropRepeats > maxDays {
		return cli.Usage("--drop-repeats %d: want 0 to %d", f.DropRepeats, maxDays)
	}
	return nil
}

// typeLimit returns the limit of types that the flags set.
func (f *partitionFlags) typeLimit() (limit.Limit, error) {
	if f.MaxDayTypes < 0 {
		return limit.Limit{}, cli.Usage("--max-day-types %d: cannot be negative", f.MaxDayTypes)
	}
	return limit.Limit{PerLog: (f.MaxDayTypes + 1) / 2, PerDay: f.MaxDayTypes}, nil
}

// diskHook runs before each change of a data folder. It is nil, but in tests that kill
// the whole program at a change.
var diskHook backend.Hook

// dataFolder is an open data folder, with the definitions and the filters that its
// submissions are converted with.
type dataFolder struct {
	*layout.Data
	definitions *revisions.Cache
	options     convert.Options
	filters     *filterFolder
	child       *childProcess // converts what may end a process
	maxWait     time.Duration // of a submission for its definitions; 0: for ever
}

// openDataFolder opens the data folder, made if missing, and finishes the commits that
// a crash interrupted. The caller closes it.
func (f *dataFolderFlags) openDataFolder(ctx context.Context, st *cli.State, dir string) (_ *dataFolder, err error) {
	if err := f.repeatFlags.validate(); err != nil {
		return nil, err
	}
	maxPartitions, err := f.partitionFlags.limit()
	if err != nil {
		return nil, err
	}
	maxTypes, err := f.partitionFlags.typeLimit()
	if err != nil {
		return nil, err
	}
	folder := &dataFolder{child: &childProcess{dir: dir, flags: *f, stderr: st.Stderr}}
	defer func() {
		if err != nil {
			err = errors.Join(err, folder.Close())
		}
	}()

	// The folder, and where it publishes.
	folder.Data, err = layout.OpenDataWith(dir, diskHook)
	if err != nil {
		return nil, cli.Named(withSchemaCode(err))
	}
	folder.maxWait = f.maxWait
	folder.Data.LogTo(st.Log)
	folder.Data.DropRepeats(f.DropRepeats)
	folder.Data.LimitPartitions(maxPartitions, maxTypes)
	if f.PublishTo != "" {
		if err := folder.Data.PublishTo(f.PublishTo); err != nil {
			return nil, cli.Fail(cli.ExitUsage, err)
		}
	}

	// Before anything lists raw logs: some of them are published already.
	if err := folder.Recover(ctx); err != nil {
		return nil, withCorruptCode(err)
	}

	// A cache that is offline makes no folder, and would not see one that appears later.
	if f.RevisionCache == "" {
		err := folder.Data.Root().Mkdir(layout.RevisionCacheDir, 0o755)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}

	// What submissions are converted with.
	folder.definitions, err = f.open(st, dir)
	if err != nil {
		return nil, err
	}
	folder.options = f.converterOptions(folder.Schema())
	folder.options.Turns = convert.NewTurns()
	folder.options.Deletions = folder.Deletions()
	folder.options.Schemas, err = f.schemaFlags.load()
	if err != nil {
		return nil, err
	}
	folder.filters, err = f.openFilters(ctx, st.Log, folder.definitions)
	if folder.filters != nil {
		folder.filters.data = folder.Data
	}
	return folder, err
}

// newWorker returns what converts raw logs into the folder. Both arguments may be nil;
// see worker.Options.
func (f *dataFolder) newWorker(pacer worker.Pacer, reporter worker.Reporter) *worker.Worker {
	options := f.workerOptions()
	options.Pacer = pacer
	options.Reporter = reporter
	options.Child = f.child
	return worker.New(f.Data, options)
}

// workerOptions are those that the folder determines, for a worker in this process.
func (f *dataFolder) workerOptions() worker.Options {
	return worker.Options{Definitions: f.definitions, Convert: f.options, Filters: f.filters, MaxWait: f.maxWait}
}

// Close releases what openDataFolder opened. All conversions must have ended.
func (f *dataFolder) Close() error {
	// One that could not be opened completely lacks some of these.
	var errs []error
	if f.definitions != nil {
		errs = append(errs, f.definitions.Close())
	}
	if f.Data != nil {
		errs = append(errs, f.Data.Close())
	}
	return errors.Join(errs...)
}
