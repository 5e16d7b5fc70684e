package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// StatsDir holds, for every raw log that was converted, what its segments do not
// tell. A StatsDoc moves in one direction:
//
//	<source>.json             as the commit left it
//	merging/<source>.json     taken by MergeStats
//	<YYYYMMDD>.jsonl.zst      lines of a day's conversions
//
// A raw log that is converted again, as imported ones can be, has a new
// <source>.json, which counts instead of what was merged before.
const StatsDir = layout.StateDir + "/stats"

const (
	mergingDir = StatsDir + "/merging"
	dayStats   = ".jsonl.zst" // ends the names of days' files
	docEnding  = ".json"
)

// StatsDoc is what became of a raw log.
type StatsDoc struct {
	Source      string           `json:"source"`
	Submissions int64            `json:"submissions"`
	BytesLost   int64            `json:"bytes_lost,omitempty"`
	Mismatched  map[string]int64 `json:"mismatched,omitempty"` // by dimension
	Filtered    map[string]int64 `json:"filtered,omitempty"`   // by reason
	// Dropped counts the histograms left out, by reason and name.
	Dropped map[string]map[string]int64 `json:"dropped,omitempty"`
	// Segments are where a raw log was published that can be converted again, relative
	// to the data folder.
	Segments []string `json:"segments,omitempty"`
	// Waiting counts the submissions of such a raw log that went to another one.
	Waiting int64 `json:"waiting,omitempty"`
}

// readStats returns the statistics of an earlier conversion of source that says
// where it was published, or that a part waits; the zero StatsDoc without one.
func readStats(root fs.FS, source string) (doc StatsDoc, err error) {
	for _, dir := range []string{StatsDir, mergingDir} {
		name := path.Join(dir, source+docEnding)
		b, err := fs.ReadFile(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(b, &doc)
		}
		if err != nil {
			return doc, fmt.Errorf("%s: %w", name, err)
		}
		return doc, nil
	}
	return doc, nil
}

// supersede has the commit that publishes source remove what an earlier one has
// published of it and this one does not replace: another filter, or definitions
// that came late, can put its records elsewhere. What has been compacted since is
// beyond reach.
func supersede(w *layout.Writer, root fs.FS, source string) error {
	doc, err := readStats(root, source)
	for _, segment := range doc.Segments {
		w.Supersede(segment)
	}
	return err
}

// attachStats has the commit that publishes source keep its statistics; again says
// that it can be converted again.
func attachStats(w *layout.Writer, source string, st *Stats, again bool) error {
	doc := StatsDoc{
		Source: source, Submissions: st.Submissions, BytesLost: st.BytesLost, Filtered: st.Filtered,
		Mismatched: map[string]int64{}, Dropped: map[string]map[string]int64{},
	}
	if again {
		doc.Segments, doc.Waiting = w.Paths(), st.Waiting
	}
	for i, n := range st.Mismatched {
		if n > 0 {
			doc.Mismatched[schema.DimNames[i]] = n
		}
	}
	for d, n := range st.Dropped {
		if doc.Dropped[d.Reason] == nil {
			doc.Dropped[d.Reason] = map[string]int64{}
		}
		doc.Dropped[d.Reason][d.Name] += n
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	_, err = w.Attach(path.Join(StatsDir, source+docEnding)).Write(b)
	return err
}

// ReadStats walks the statistics of every raw log that was converted, each once,
// in the data folder root, also while MergeStats is at work. After an error there
// is no more.
func ReadStats(root fs.FS) iter.Seq2[StatsDoc, error] {
	return func(yield func(StatsDoc, error) bool) {
		// Whoever looks in the direction in which they move, newest first, misses none.
		seen := map[string]bool{}
		use := func(text []byte, name string) bool {
			var doc StatsDoc
			if err := json.Unmarshal(text, &doc); err != nil {
				yield(doc, fmt.Errorf("%s: %w", name, err))
				return false
			}
			if seen[doc.Source] {
				return true
			}
			seen[doc.Source] = true
			return yield(doc, nil)
		}
		for _, dir := range []string{StatsDir, mergingDir} {
			names, err := namesIn(root, dir, docEnding)
			for _, name := range names {
				b, err := fs.ReadFile(root, name)
				if errors.Is(err, fs.ErrNotExist) { // moved as we came
					continue
				}
				if err != nil {
					yield(StatsDoc{}, err)
					return
				}
				if !use(b, name) {
					return
				}
			}
			if err != nil {
				yield(StatsDoc{}, err)
				return
			}
		}
		days, err := namesIn(root, StatsDir, dayStats)
		for _, name := range slices.Backward(days) {
			lines, err := readDay(root, name)
			if err != nil {
				yield(StatsDoc{}, err)
				return
			}
			for line := range bytes.Lines(lines) {
				if !use(line, name) {
					return
				}
			}
		}
		if err != nil {
			yield(StatsDoc{}, err)
		}
	}
}

// namesIn lists the files of dir with that ending, as paths, by name.
func namesIn(root fs.FS, dir, ending string) (names []string, err error) {
	entries, err := fs.ReadDir(root, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if name := e.Name(); e.Type().IsRegular() && strings.HasSuffix(name, ending) && !strings.HasPrefix(name, ".") {
			names = append(names, path.Join(dir, name))
		}
	}
	return names, err
}

// readDay returns the lines of a day's file.
func readDay(root fs.FS, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zr, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer zr.Close()
	lines, err := io.ReadAll(zr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return lines, nil
}
