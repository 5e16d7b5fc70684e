package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// benchReport is what all clients saw together.
type benchReport struct {
	took   time.Duration   // from the start to the last answer, more than 0
	bytes  int64           // of the requests that were answered
	times  []time.Duration // of the answers, ascending
	codes  map[int]int
	errors map[string]int // requests without an answer, by reason
}

func newBenchReport(clients []benchClient, start time.Time) *benchReport {
	report := &benchReport{took: time.Nanosecond, codes: map[int]int{}, errors: map[string]int{}}
	for _, client := range clients {
		report.took = max(report.took, client.last.Sub(start))
		report.bytes += client.bytes
		report.times = append(report.times, client.times...)

		for code, count := range client.codes {
			report.codes[code] += count
		}
		for reason, count := range client.errors {
			report.errors[reason] += count
		}
	}

	slices.Sort(report.times)
	return report
}

// benchQuantiles are the times that are printed.
var benchQuantiles = []struct {
	name string
	at   float64 // share of the answers that came earlier
}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}}

// print writes the report. The error says that some or all requests were not
// answered with 200.
func (r *benchReport) print(w io.Writer) error {
	// The rate counts answers of any status: each of them was work for the server.
	answered := len(r.times)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "requests/s\t%.0f\n", float64(answered)/r.took.Seconds())
	fmt.Fprintf(table, "MB/s\t%.1f\n", float64(r.bytes)/1e6/r.took.Seconds())

	// Without an answer there are no latencies.
	if answered > 0 {
		fmt.Fprintf(table, "bytes/request\t%d\n", r.bytes/int64(answered))
		for _, quantile := range benchQuantiles {
			latency := r.times[min(int(quantile.at*float64(answered)), answered-1)]
			fmt.Fprintf(table, "latency %s\t%.2f ms\n", quantile.name, float64(latency.Microseconds())/1000)
		}
	}

	// What was answered, and why some requests were not.
	for _, code := range slices.Sorted(maps.Keys(r.codes)) {
		fmt.Fprintf(table, "status %d %s\t%d\n", code, http.StatusText(code), r.codes[code])
	}
	failures := 0
	for _, reason := range slices.Sorted(maps.Keys(r.errors)) {
		fmt.Fprintf(table, "error: %s\t%d\n", reason, r.errors[reason])
		failures += r.errors[reason]
	}
	if err := table.Flush(); err != nil {
		return err
	}

	// The error gives the exit code.
	if answered == 0 {
		return errors.New("no request was answered")
	}

	if others := answered - r.codes[http.StatusOK]; others+failures > 0 {
		return cli.Fail(cli.ExitRejected, fmt.Errorf("of %d requests %d were not answered with 200, and %d not at all", answered+failures, others, failures))
	}
	return nil
}
