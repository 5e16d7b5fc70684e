package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/statistics"
)

// File is a raw log that lies outside the data folder, and stays there.
type File struct {
	// Content is read from its start, twice or more often.
	Content io.ReadSeeker
	// Name is its base name, for messages and for where submissions come from.
	Name string
	// Version is its version, or rawlog.VersionAuto: as the name says, else the content.
	Version int
	// MaxBody is the longest body that is no damage; 0: as rawlog.Reader has it.
	MaxBody int
}

// ImportFile is ConvertLog for a file elsewhere, which is not removed. What it becomes
// is a function of its content, whatever its name: importing the same content again
// replaces what was published before. What was compacted or replayed since stays where it
// is, and counts as repeated. In an object store that holds where the outcome is the same.
//
// If submissions of the file wait in another raw log, or are in Stats.Parts, or have been
// there, they cannot be replaced: then nothing is done, and all submissions count as
// repeated.
func (w *Worker) ImportFile(ctx context.Context, f File) (Stats, error) {
	start := time.Now()
	source, err := contentSource(f.Content)
	if err != nil {
		return Stats{}, err
	}

	stats, err := w.importFile(ctx, source, f)
	if err != nil {
		return stats, fmt.Errorf("convert %s: %w", source, err)
	}

	w.report(f.Name, stats, start)
	return stats, nil
}

func (w *Worker) importFile(ctx context.Context, source string, f File) (_ Stats, err error) {
	pub, err := w.newPublication(source)
	if err != nil {
		return Stats{}, err
	}
	defer func() { err = errors.Join(err, pub.close()) }()

	earlier, err := statistics.Find(w.data.Root(), source, w.data.Log())
	if err != nil {
		return Stats{}, err
	}
	deaths, err := w.attempts(source)
	if err != nil {
		return Stats{}, err
	}

	// What went to another raw log is published, or will be, under its name. What is
	// published stays, too, if another conversion of it ends the process.
	if earlier.Waiting > 0 || earlier.Submissions > 0 && deaths.deaths >= maxDeaths {
		return Stats{Submissions: earlier.Submissions, Repeated: earlier.Submissions}, nil
	}

	// Another filter, or definitions that came late, can publish the records elsewhere.
	// What was compacted or replayed since stays where it is.
	pub.settled, err = w.findSettled(ctx, earlier)
	if err != nil {
		return Stats{}, err
	}
	for _, segment := range pub.settled.replaced {
		pub.writer.Supersede(segment)
	}

	// The source is named after the content, so its segments were made from the same.
	pub.writer.ReplaceEarlier()
	pub.content = f.Content
	pub.reader = f.entries

	return pub.run(ctx, func(paths []string) statistics.RawLog {
		// What the next import of the same content needs to know.
		converted := pub.stats.statistics(source)
		converted.Segments = pub.settled.segments(paths)
		converted.Submissions += pub.stats.Divided
		converted.Waiting = pub.stats.Waiting + pub.stats.Divided
		return converted
	})
}

// entries returns a reader of the file's entries, which are read from content.
func (f File) entries(content io.Reader) *rawlog.Reader {
	version := f.Version
	if version == rawlog.VersionAuto {
		version = rawlog.VersionOf(f.Name)
	}

	entries := rawlog.NewReader(content, version)
	entries.Source = f.Name
	entries.MaxBody = f.MaxBody
	return entries
}

// contentSource returns the name under which a raw log with that content is published,
// once it has read it.
func contentSource(content io.ReadSeeker) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return "", err
	}
	return fmt.Sprintf("import.%x", sum.Sum(nil)[:12]), nil
}
