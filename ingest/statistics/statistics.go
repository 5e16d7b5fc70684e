package statistics

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/helperfile"
)

// Dir holds the statistics, in the data folder.
const Dir = layout.StatisticsDir

const (
	mergingDir   = Dir + "/merging"
	fileSuffix   = ".json"      // of the statistics of one raw log
	daySuffix    = ".jsonl.zst" // of the files of days, which are read, not written
	databaseFile = Dir + "/statistics.bolt"
)

// RawLog is what became of one raw log.
type RawLog struct {
	Source      string           `json:"source"` // the raw log's name, or what stands for it
	Submissions int64            `json:"submissions"`
	BytesLost   int64            `json:"bytes_lost,omitempty"` // to damage
	Mismatched  map[string]int64 `json:"mismatched,omitempty"` // by dimension
	Forgotten   int64            `json:"forgotten,omitempty"`  // dropped, because their client asked to be forgotten
	Filtered    map[string]int64 `json:"filtered,omitempty"`   // dropped by the filter, by reason
	// Dropped counts the histograms left out, by reason and name.
	Dropped map[string]map[string]int64 `json:"dropped,omitempty"`
	// OverLimit counts values that became OTHER because there were too many new ones, by
	// kind and value; "" is for those that are not listed.
	OverLimit map[string]map[string]int64 `json:"over_limit,omitempty"`

	// What follows is set for a raw log that can be converted again.

	// Segments are where it was published, relative to the data folder.
	Segments []string `json:"segments,omitempty"`
	// Waiting counts its submissions that went to another raw log.
	Waiting int64 `json:"waiting,omitempty"`
}

// Attach has w's commit store the statistics of a raw log, in place of those of an
// earlier conversion of the same source. describe gets the paths of the segments that the
// commit publishes.
func Attach(w *layout.Writer, source string, describe func(paths []string) RawLog) {
	w.AttachLate(path.Join(Dir, source+fileSuffix), func(paths []string) ([]byte, error) {
		return json.Marshal(describe(paths))
	})
}

// parse reads the JSON of a RawLog; name is where it lies.
func parse(text []byte, name string) (RawLog, error) {
	var r RawLog
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// filesIn lists the files of dir with that suffix, as paths, by name.
func filesIn(root *os.Root, dir, suffix string) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}

	var names []string
	for _, entry := range entries {
		name := entry.Name()

		// A hidden one is the temporary file of a crash.
		if entry.Type().IsRegular() && strings.HasSuffix(name, suffix) && !strings.HasPrefix(name, ".") {
			names = append(names, path.Join(dir, name))
		}
	}
	return names, err
}

// setAside renames the file of a raw log whose statistics cannot be parsed, so that the
// others are counted and merged.
func setAside(root *os.Root, name string, why error, log *slog.Logger) error {
	return helperfile.SetAside(root, name, "the statistics of one raw log", why, log)
}
