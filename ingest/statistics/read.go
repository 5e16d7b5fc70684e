package statistics

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// Find returns the statistics of the latest conversion of source; the zero RawLog if
// there are none. A database that is damaged is set aside, and log hears of it.
func Find(root *os.Root, source string, log *slog.Logger) (RawLog, error) {
	for _, dir := range []string{Dir, mergingDir} {
		name := path.Join(dir, source+fileSuffix)
		text, err := root.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return RawLog{}, err
		}

		found, err := parse(text, name)
		if err == nil {
			return found, nil
		}
		if err := setAside(root, name, err, log); err != nil {
			return RawLog{}, err
		}
	}

	// A file that was gone is in the database: Merge writes that before it removes one.
	var found RawLog
	err := readDatabase(root, log, func(db *database) error {
		var err error
		found, err = db.find(source)
		return err
	})
	return found, err
}

// All walks the statistics of every raw log in the data folder root, each once, in no
// particular order. It ends after an error. A database that is damaged is set aside: what
// was in it is missing, and log hears of it.
func All(root *os.Root, log *slog.Logger) iter.Seq2[RawLog, error] {
	return func(yield func(RawLog, error) bool) {
		w := &walk{root: root, log: log, seen: map[string]bool{}, yield: yield}

		// In the direction in which they move; see the package's documentation.
		for _, step := range []func() error{w.files(Dir), w.files(mergingDir), w.days, w.database} {
			err := step()
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield(RawLog{}, err)
				return
			}
		}
	}
}

// errEnough ends a walk whose caller wants no more.
var errEnough = errors.New("enough")

// walk is an All at work.
type walk struct {
	root  *os.Root
	log   *slog.Logger
	seen  map[string]bool // sources
	yield func(RawLog, error) bool
}

// use yields a RawLog unless a newer one of its source was yielded.
func (w *walk) use(text []byte, name string) error {
	r, err := parse(text, name)
	if err != nil {
		return err
	}
	return w.useParsed(r)
}

// useParsed is use for a RawLog.
func (w *walk) useParsed(r RawLog) error {
	if w.seen[r.Source] {
		return nil
	}

	w.seen[r.Source] = true
	if !w.yield(r, nil) {
		return errEnough
	}
	return nil
}

// files walks the statistics that are a file each.
func (w *walk) files(dir string) func() error {
	return func() error {
		names, err := filesIn(w.root, dir, fileSuffix)
		if err != nil {
			return err
		}

		for _, name := range names {
			text, err := w.root.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // Merge moved it; it comes later in this walk
			}
			if err != nil {
				return err
			}

			r, err := parse(text, name)
			if err != nil {
				err = setAside(w.root, name, err, w.log)
			} else {
				err = w.useParsed(r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// days walks the files of days, the newest first.
func (w *walk) days() error {
	names, err := filesIn(w.root, Dir, daySuffix)
	if err != nil {
		return err
	}

	// The same source may be in several days: the newest one counts.
	for _, name := range slices.Backward(names) {
		lines, err := readDay(w.root, name, w.log)
		if errors.Is(err, fs.ErrNotExist) {
			continue // Merge moved it into the database
		}
		if err != nil {
			return err
		}

		for line := range bytes.Lines(lines) {
			if err := w.use(line, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// database walks the statistics in the database.
func (w *walk) database() error {
	return readDatabase(w.root, w.log, func(db *database) error { return db.each(w.useParsed) })
}

// readDay returns the lines of a day's file; none of one that is damaged, which it sets
// aside.
func readDay(root *os.Root, name string, log *slog.Logger) ([]byte, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	decoder, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer decoder.Close()

	lines, err := io.ReadAll(decoder)
	if err != nil {
		return nil, setAside(root, name, fmt.Errorf("%s: %w", name, err), log)
	}

	// Each line of it is JSON, or none counts.
	for line := range bytes.Lines(lines) {
		if _, err := parse(line, name); err != nil {
			return nil, setAside(root, name, err, log)
		}
	}
	return lines, nil
}
