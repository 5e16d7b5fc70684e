package worker

import (
	"os"
	"strconv"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
)

// Backlog is what waits in raw/ to be converted.
type Backlog struct {
	Logs   int     `json:"logs"`
	Bytes  int64   `json:"bytes"`
	Oldest float64 `json:"oldest_seconds"` // age of the oldest waiting log; 0 if none
}

// ReadBacklog looks into raw/ of the data folder root. The log that a live
// server writes does not count.
func ReadBacklog(root *os.Root, now time.Time) (Backlog, error) {
	names, err := WaitingLogs(root)
	var b Backlog
	for _, name := range names {
		info, err := root.Stat(layout.RawDir + "/" + name)
		if err != nil {
			continue // removed as we came
		}
		b.Logs++
		b.Bytes += info.Size()
		if ms, err := strconv.ParseInt(stamp(name), 10, 64); err == nil {
			b.Oldest = max(b.Oldest, now.Sub(time.UnixMilli(ms)).Seconds())
		}
	}
	return b, err
}
