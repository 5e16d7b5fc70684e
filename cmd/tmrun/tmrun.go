// Command tmrun is the analyst's command: it runs a JavaScript job over a
// partition tree.
package main

import (
	"time"

	"github.com/alecthomas/kong"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// grammar lists the subcommands; each has a file of its own, cmd_<name>.go.
type grammar struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	Run runCmd `cmd:"" default:"withargs" help:"Run a job (the default)."`
}

func run(st *cli.State) int {
	time.Local = time.UTC // dates in scripts must not depend on the machine
	return cli.Main(st, "tmrun", "Run a JavaScript map/combine/reduce job over stored telemetry.", &grammar{})
}
