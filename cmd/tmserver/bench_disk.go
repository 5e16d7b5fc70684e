package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// benchBoth measures the disk and, between the two halves of that, the server if there is one.
func (c *benchCmd) benchBoth(ctx context.Context, st *cli.State) error {
	if c.URL != "" {
		if _, err := c.validate(); err != nil {
			return err
		}
	}
	folder, err := os.OpenRoot(c.Disk)
	if err != nil {
		return cli.Named(err)
	}
	defer folder.Close()

	before, err := rawlog.Measure(ctx, folder, c.Duration/2)
	if err != nil {
		return err
	}
	if c.URL == "" {
		return printDisk(st.Stdout, before, nil, nil)
	}

	report, err := c.benchServer(ctx)
	if err != nil {
		return err
	}
	after, err := rawlog.Measure(ctx, folder, c.Duration/2)
	if err != nil {
		return err
	}

	// The server's error gives the exit code, after all of the report.
	failed := report.print(st.Stdout)
	if err := printDisk(st.Stdout, before, after, report); err != nil {
		return err
	}
	return failed
}

// printDisk prints what was measured of the disk, and the server's share of it. Without a
// server, after and report are nil.
func printDisk(w io.Writer, before, after []rawlog.Speed, report *benchReport) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	best := 0.0
	for i, speed := range before {
		kind := "fresh"
		if speed.Overwritten {
			kind = "overwritten"
		}
		fmt.Fprintf(table, "disk %d kB %s\t%.1f MB/s\tp99 %.2f ms", speed.BatchBytes>>10, kind, speed.BytesPerSecond/1e6, speed.Slowest.Seconds()*1000)
		best = max(best, speed.BytesPerSecond)

		if after != nil {
			fmt.Fprintf(table, "\tthen %.1f MB/s\tp99 %.2f ms", after[i].BytesPerSecond/1e6, after[i].Slowest.Seconds()*1000)
			best = max(best, after[i].BytesPerSecond)
		}
		fmt.Fprintln(table)
	}

	if report != nil {
		fmt.Fprintf(table, "server / disk\t%.2f\n", float64(report.bytes)/report.took.Seconds()/best)
	}
	return table.Flush()
}
