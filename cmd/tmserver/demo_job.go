package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
	"github.com/aitgithub/telemetry-server/scripts"
)

// runShipped runs a shipped job over the data folder and prints its output.
func runShipped(ctx context.Context, dir, name string, out io.Writer) error {
	// Compile the script.
	text, err := scripts.FS.ReadFile(name + ".js")
	if err != nil {
		return err
	}

	compiled, err := script.Compile(name+".js", string(text))
	if err != nil {
		return err
	}

	// Plan the tasks: all valid records.
	tree, err := layout.OpenTree(dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := tree.SkipForgotten(ctx); err != nil {
		return err
	}

	source := engine.TreeSource{Tree: tree}
	plan, err := engine.NewPlan(ctx, source, schema.All(), nil)
	if err != nil {
		return err
	}

	// Scripts find the bounds of buckets in the definitions that gen wrote.
	o := revisions.DefaultOptions()
	o.Dir = filepath.Join(dir, layout.RevisionCacheDir)
	o.Offline = true
	definitions, err := revisions.NewCache(o)
	if err != nil {
		return err
	}
	defer definitions.Close()

	limits := script.DefaultLimits()
	limits.Definitions = definitions

	// Run the job, and print its rows when all are there.
	var result bytes.Buffer
	sink := format.NewTSV(&result)
	_, err = engine.Run(ctx, source, plan, &script.Job{Script: compiled, Limits: limits}, sink, engine.DefaultOptions())
	if err := errors.Join(err, sink.Close()); err != nil {
		return err
	}
	return printColumns(out, result.Bytes())
}

// maxTableColumns is how many bytes of a line of a demo's table are printed.
const maxTableColumns = 110

// printColumns prints tab-separated lines as aligned columns.
func printColumns(out io.Writer, tsv []byte) error {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	w.Write(tsv) // a Buffer accepts everything
	w.Flush()

	for line := range strings.Lines(table.String()) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > maxTableColumns {
			line = line[:maxTableColumns-1] + "…"
		}
		if _, err := fmt.Fprintln(out, "  "+line); err != nil {
			return err
		}
	}
	return nil
}
