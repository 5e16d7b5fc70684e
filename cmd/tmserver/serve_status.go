package main

import (
	"errors"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/intake"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// serverStatus is what /status answers.
type serverStatus struct {
	Status  string         `json:"status"`
	Version string         `json:"version"`
	Uptime  float64        `json:"uptime_seconds"`
	Backlog intake.Backlog `json:"backlog"`
	Free    int64          `json:"free_bytes"`
	Filters *filtersStatus `json:"filters,omitempty"`
}

// statusOf returns a function that finds out the status of a server that starts now.
func statusOf(folder *dataFolder, now func() time.Time) func() any {
	start := now()
	return func() any {
		status := serverStatus{
			Status:  "OK",
			Version: cli.Version(),
			Uptime:  now().Sub(start).Seconds(),
			Filters: folder.filters.status(),
		}

		// Both are errors of the data folder; a public answer does not say which.
		var backlogErr, freeErr error
		status.Backlog, backlogErr = intake.ReadBacklog(folder.Root(), now())
		status.Free, freeErr = rawlog.FreeSpace(folder.Root())
		if errors.Join(backlogErr, freeErr) != nil {
			status.Status = "data folder cannot be read"
		}

		return status
	}
}
