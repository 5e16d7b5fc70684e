package intake

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
)

// Backlog is what waits in raw/ to be converted.
type Backlog struct {
	Logs   int     `json:"logs"`
	Bytes  int64   `json:"bytes"`
	Oldest float64 `json:"oldest_seconds"` // age of the oldest waiting log; 0 if none
}

// ReadBacklog returns the backlog of the data folder root. The log that a live server
// writes does not count.
func ReadBacklog(root *os.Root, now time.Time) (Backlog, error) {
	names, err := WaitingLogs(root)
	var b Backlog
	for _, name := range names {
		info, err := root.Stat(layout.RawDir + "/" + name)
		if err != nil {
			continue // converted and removed meanwhile
		}

		b.Logs++
		b.Bytes += info.Size()

		begun, err := strconv.ParseInt(timeOf(name), 10, 64)
		if err == nil {
			b.Oldest = max(b.Oldest, now.Sub(time.UnixMilli(begun)).Seconds())
		}
	}
	return b, err
}

// WaitingLogs lists the raw logs in the data folder root that can be converted, oldest
// first: every finished one, and every one that is not locked.
func WaitingLogs(root *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), layout.RawDir)
	if err != nil {
		return nil, fmt.Errorf("list raw logs: %w", err)
	}

	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if !entry.Type().IsRegular() || strings.HasPrefix(name, rawlog.HiddenPrefix) {
			continue
		}

		// A server renames a log when it is finished, and locks it until then. One that
		// is not locked was left by a crash.
		if strings.HasSuffix(name, rawlog.FinishedSuffix) || !isLocked(root, name) {
			names = append(names, name)
		}
	}

	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(timeOf(a), timeOf(b)), cmp.Compare(a, b))
	})
	return names, nil
}

// timeOf returns the part of a raw log's name that says when it was begun, in
// milliseconds.
func timeOf(name string) string {
	name = strings.TrimSuffix(name, rawlog.FinishedSuffix)
	return name[strings.LastIndexByte(name, '.')+1:]
}

// isLocked reports whether a live server writes the raw log, or whether it has gone.
func isLocked(root *os.Root, name string) bool {
	file, err := root.Open(layout.RawDir + "/" + name)
	if err != nil {
		return true // renamed or removed meanwhile
	}
	defer file.Close() // which unlocks it
	return syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}
