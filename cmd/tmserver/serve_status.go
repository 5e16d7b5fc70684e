package main

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/intake"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/ingest/worker"
)

// serverStatus is what /status answers.
type serverStatus struct {
	Status  string         `json:"status"`
	Version string         `json:"version"`
	Uptime  float64        `json:"uptime_seconds"`
	Backlog intake.Backlog `json:"backlog"`
	Free    int64          `json:"free_bytes"`
	Filters *filtersStatus `json:"filters,omitempty"`
	// OverLimit counts, by kind, values that became OTHER since the start.
	OverLimit map[string]int64 `json:"over_limit,omitempty"`
}

// overLimitCounts counts, by kind, values that became OTHER because there were too many
// new ones. It is safe for concurrent use.
type overLimitCounts struct {
	mu     sync.Mutex // protects counts
	counts map[string]int64
}

// add adds what became of a raw log. The log lists the most frequent values.
func (c *overLimitCounts) add(stats worker.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()

	for kind, values := range stats.OverLimit {
		if c.counts == nil {
			c.counts = map[string]int64{}
		}
		for _, n := range values {
			c.counts[kind] += n
		}
	}
}

func (c *overLimitCounts) copy() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// statusOf returns a function that finds out the status of a server that starts now, and
// whether it takes submissions.
func statusOf(folder *dataFolder, over *overLimitCounts, health *health, now func() time.Time) func() (any, bool) {
	start := now()
	return func() (any, bool) {
		status := serverStatus{
			Status:  "OK",
			Version: cli.Version(),
			Uptime:  now().Sub(start).Seconds(),
			Filters: folder.filters.status(),

			OverLimit: over.copy(),
		}

		// Both are errors of the data folder; a public answer does not say which.
		var backlogErr, freeErr error
		status.Backlog, backlogErr = intake.ReadBacklog(folder.Root(), now())
		status.Free, freeErr = rawlog.FreeSpace(folder.Root())
		if errors.Join(backlogErr, freeErr) != nil {
			status.Status = "data folder cannot be read"
		}
		refusal := health.refusal()
		if refusal != "" {
			status.Status = refusal
		}

		return status, refusal == ""
	}
}
