package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/limit"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// importTree imports the records of a partition tree.
func (c *importCmd) importTree(ctx context.Context, st *cli.State, data *layout.Data) error {
	if err := c.requireOtherTree(data); err != nil {
		return err
	}
	tree, err := layout.OpenTree(c.Tree)
	if err != nil {
		return err
	}
	defer tree.Close()

	// The partitions of a tree are an operator's own, however many they are.
	data.LimitPartitions(limit.Limit{}, limit.Limit{})
	tree.SetLog(st.Log)

	// Whom the data folder forgets must not come back by an import.
	forgotten, err := data.Forgotten(ctx)
	if err != nil {
		return err
	}
	tree.SetForgotten(forgotten)

	// Listed here for the length of the progress bar; ImportTree lists it itself.
	segments, err := tree.Segments(ctx, schema.All())
	if err != nil {
		return err
	}

	size := int64(0)
	for _, segment := range segments {
		size += segment.Size
	}

	bar := newByteBar(st, size, filepath.Base(c.Tree))
	stats, err := upkeep.ImportTree(ctx, data, tree, schema.All(), func(s layout.Segment) { bar.Add64(s.Size) })
	bar.Close()
	fmt.Fprintf(st.Stderr, "%s: %d files, %d records, %d bad lines\n", c.Tree, stats.Files, stats.Records, stats.BadLines)

	// Damage counts more than rejected lines.
	if err == nil && stats.BadLines > 0 {
		return rejectedError(stats.BadLines, "lines")
	}
	return withCorruptCode(err)
}

// requireOtherTree returns an error if --tree names the data folder itself, whose
// records would be published twice.
func (c *importCmd) requireOtherTree(data *layout.Data) error {
	if layout.IsURL(c.Tree) {
		return nil
	}
	tree, err := os.Stat(c.Tree)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}

	for _, own := range []string{".", layout.PublishedDir} {
		if info, err := data.Root().Stat(own); err == nil && os.SameFile(info, tree) {
			return cli.Usage("--tree %s: is the data folder itself", c.Tree)
		}
	}
	return nil
}
