package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/engine"
)

// taskCounts are what map or reduce has done, for the programs that run it.
type taskCounts map[string]int64

// add adds what a task did.
func (c taskCounts) add(done engine.TaskStats) {
	c["records"] += done.Records
	c["rejected"] += done.Rejected
	c["failed"] += done.Failed
	c["emitted"] += done.Emitted
	c["bytes"] += done.RawBytes
}

// print prints the counts and those of the script, as Hadoop's streaming reads them.
func (c taskCounts) print(s *session) {
	reportCounters(s, "tmrun", c)
	reportCounters(s, "script", s.job.Counters.All())
}

func reportCounters(s *session, group string, counts map[string]int64) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		// Commas part the fields, and a line is a counter.
		plain := strings.NewReplacer(",", "_", "\n", "_", "\r", "_").Replace(name)
		fmt.Fprintf(s.st.Stderr, "reporter:counter:%s,%s,%d\n", group, plain, counts[name])
	}
}
