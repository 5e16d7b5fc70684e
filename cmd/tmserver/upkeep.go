package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/upkeep"
)

// openPlace opens a data folder, which must exist, or an object store, for compact
// and check. The caller closes it.
func openPlace(name string) (*upkeep.Place, error) {
	if !layout.IsURL(name) {
		if err := requireDataFolder(name); err != nil {
			return nil, err
		}
	}
	place, err := upkeep.OpenWith(name, diskHook)
	return place, withSchemaCode(err)
}

// withSchemaCode makes a malformed dimension schema an error of configuration.
func withSchemaCode(err error) error {
	if errors.Is(err, schema.ErrSchema) {
		return cli.Fail(cli.ExitUsage, err)
	}
	return err
}

// requireDataFolder returns an error for what is no data folder: a mistyped name
// must not become an empty one.
func requireDataFolder(dir string) error {
	tree, err := layout.OpenTree(dir)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}
	defer tree.Close()

	if !tree.IsData() {
		return cli.WithHint(cli.Usage("%s: not a data folder", dir), "it has no published/ inside; tmserver import --tree reads other trees")
	}
	return nil
}

// withBusyHint adds a hint to layout.ErrBusy, and changes no other error.
func withBusyHint(err error) error {
	if errors.Is(err, layout.ErrBusy) {
		return cli.WithHint(err, "another compaction or repair is at work; try again when it has ended")
	}
	return err
}

// withCorruptCode gives damage its exit code, and changes no other error.
func withCorruptCode(err error) error {
	if _, ok := errors.AsType[*layout.CorruptError](err); ok {
		return cli.Fail(cli.ExitCorrupt, err)
	}
	return err
}

// maxDays bounds flags in days: a hundred years, which dates of four digits can tell.
const maxDays = 36_500

// parseDays reads a value of --keep, "180d" or "180"; "" is 0, for ever.
func parseDays(text string) (int, error) {
	if text == "" {
		return 0, nil
	}

	days, err := strconv.ParseUint(strings.TrimSuffix(text, "d"), 10, 64)
	if err != nil || days < 1 || days > maxDays {
		return 0, cli.Usage("--keep %s: want 1d to %dd, such as 180d", cli.Printable(text), maxDays)
	}
	return int(days), nil
}

// megabytes writes a number of bytes for people.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
