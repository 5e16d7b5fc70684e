// Command tmrun is the analyst's command: it runs a JavaScript job over a
// partition tree.
package main

import (
	"github.com/alecthomas/kong"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

type grammar struct {
	Version kong.VersionFlag `help:"Print the version and exit."`
}

func run(st *cli.State) int {
	return cli.Main(st, "tmrun", "Run a JavaScript map/combine/reduce job over stored telemetry.", &grammar{})
}
