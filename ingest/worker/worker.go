package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
	"github.com/aitgithub/telemetry-server/layout"
)

// Options are how a Worker converts. Definitions and Convert are needed.
type Options struct {
	// Definitions are the histogram definitions of revisions.
	Definitions convert.Definitions
	// Convert configures the conversion. Its schema is the data folder's.
	Convert convert.Options
	// Filters has the ingest filter; nil: every record is published.
	Filters Filters
	// Pacer makes conversions pause while clients wait for the disk; nil: no pause.
	Pacer Pacer
	// Reporter hears of each converted raw log; nil: nothing does.
	Reporter Reporter
	// MaxWait is how long after its receipt a submission may wait for its definitions; then
	// it is quarantined, from where it can be replayed. 0: for ever.
	MaxWait time.Duration
	// Child converts parts of raw logs that have ended the process in another process;
	// nil: they are converted in this one.
	Child Child
}

// Filters has the ingest filter, which may change while the server runs.
type Filters interface {
	// IngestFilter returns the filter in use now, nil if there is none. An error says
	// that there is one that does not work; raw logs wait then.
	IngestFilter() (decide.DeciderSource, error)
}

// Pacer makes conversions pause; *rawlog.Log is one.
type Pacer interface {
	// Pace returns a function that one goroutine calls between submissions, and that
	// waits when it should.
	Pace() func()
}

// Reporter hears of converted raw logs, from several goroutines.
type Reporter interface {
	// Converted is called after the commit of the raw log with that name.
	Converted(name string, s Stats, took time.Duration)
}

// Worker converts raw logs into one data folder. It is safe for concurrent use.
type Worker struct {
	data *layout.Data
	o    Options
}

// New returns a Worker for a data folder. The caller closes data when all conversions
// have ended.
func New(data *layout.Data, o Options) *Worker { return &Worker{data: data, o: o} }

// Conversion returns how a raw log is converted from its start to its end, with the
// filter that is in use now.
func (w *Worker) Conversion() (*decide.Conversion, error) {
	var filter decide.DeciderSource
	if w.o.Filters != nil {
		var err error
		filter, err = w.o.Filters.IngestFilter()
		if err != nil {
			return nil, err
		}
	}

	return decide.NewConversion(w.o.Definitions, w.o.Convert, filter), nil
}

// ConvertLog converts raw/<name>: its records are published, rejected submissions are
// quarantined, and the raw log is removed, all or nothing. After an error the raw log
// is still there, or, if the commit was made, the next attempt finishes it. The error
// wraps layout.ErrBusy when a server still writes the log or another process converts
// it.
//
// Submissions whose definitions are not available go to another raw log, to be
// converted later. If that would be all of them, the error wraps
// revisions.ErrUnavailable and the raw log stays.
//
// Of a raw log that is damaged, what can be read is published, and the file is moved to
// Stats.Kept. A file that is no raw log stays; the error wraps ErrNoRawLog.
//
// A raw log whose conversion has ended the process is divided into Stats.Parts, which are
// raw logs to be converted next.
func (w *Worker) ConvertLog(ctx context.Context, name string) (Stats, error) {
	start := time.Now()
	var stats Stats
	var err error
	if w.o.Child != nil && IsPart(name) {
		stats, err = w.convertInChild(ctx, name)
	} else {
		stats, err = w.convertLog(ctx, name)
	}
	if err != nil {
		return stats, fmt.Errorf("convert %s: %w", name, err)
	}

	w.report(name, stats, start)
	return stats, nil
}

func (w *Worker) convertLog(ctx context.Context, name string) (_ Stats, err error) {
	pub, err := w.newPublication(name)
	if err != nil {
		return Stats{}, err
	}
	defer func() { err = errors.Join(err, pub.close()) }() // does nothing after the commit

	file, err := w.openRawLog(name)
	if err != nil {
		return Stats{}, err
	}
	defer file.Close() // which unlocks it

	pub.inRaw = true
	pub.content = file
	pub.reader = func(content io.Reader) *rawlog.Reader {
		entries := rawlog.NewReader(content, rawlog.VersionOf(name))
		entries.Source = name
		return entries
	}

	// An older copy of a raw log that was converted before has less to count.
	earlier, err := statistics.Find(w.data.Root(), name, w.data.Log())
	if err != nil {
		return Stats{}, err
	}

	// The commit also removes the raw log, whose name is the source.
	return pub.run(ctx, func([]string) statistics.RawLog {
		converted := pub.stats.statistics(name)
		if earlier.Submissions > converted.Submissions {
			converted = earlier
		}
		return converted
	})
}

// ErrNoRawLog is returned (wrapped) for a file in raw/ that is no raw log.
var ErrNoRawLog = errors.New("this file is no raw log, so it stays where it is: move it out of raw/")

// openRawLog opens and locks a raw log of the data folder, unless a server writes it.
func (w *Worker) openRawLog(name string) (*os.File, error) {
	file, err := w.data.Root().Open(path.Join(layout.RawDir, name))
	if err != nil {
		return nil, err
	}

	// A shared lock: all that a server's exclusive one must exclude is converting.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("%w: %w", layout.ErrBusy, err)
	}
	return file, nil
}

// hasRawLog reports whether there is a raw log of that name in raw/.
func (w *Worker) hasRawLog(name string) bool {
	_, err := w.data.Root().Lstat(path.Join(layout.RawDir, name))
	return err == nil
}

// report reports a converted raw log.
func (w *Worker) report(name string, s Stats, start time.Time) {
	if w.o.Reporter != nil {
		w.o.Reporter.Converted(name, s, time.Since(start))
	}
}

// newPublication starts to publish the raw log with that source. The caller closes it.
func (w *Worker) newPublication(source string) (*publication, error) {
	conversion, err := w.Conversion()
	if err != nil {
		return nil, err
	}

	// A writer finishes first what an earlier attempt has committed, so that the raw
	// log may be gone after this.
	writer, err := w.data.NewWriter(source, layout.WriterOptions{MemoryBytes: writerMemory})
	if err != nil {
		return nil, err
	}

	pace := func() {}
	if w.o.Pacer != nil {
		pace = w.o.Pacer.Pace()
	}
	return &publication{
		w:          w,
		source:     source,
		writer:     writer,
		conversion: conversion,
		pace:       pace,
		stats:      newStats(),
	}, nil
}

// writerMemory bounds the records that wait for their frames to fill. Together with
// the pipeline, and twice for the garbage collector, a conversion stays below 256 MiB.
const writerMemory = 64 << 20
