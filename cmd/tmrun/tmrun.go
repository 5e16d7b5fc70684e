// Command tmrun is the analyst's command: it runs a JavaScript job over a
// partition tree.
package main

import (
	"runtime/debug"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/filters"
	"github.com/aitgithub/telemetry-server/scripts"
)

// grammar lists the subcommands; each has a file of its own, cmd_<name>.go.
type grammar struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	Run    runCmd    `cmd:"" default:"withargs" help:"Run a job (the default)."`
	New    newCmd    `cmd:"" help:"Start a script from a template, with a test and the types for editors."`
	Check  checkCmd  `cmd:"" help:"Say what is wrong with scripts before they run."`
	Test   testCmd   `cmd:"" help:"Run the tests beside scripts, each in many ways that must not matter."`
	Repro  reproCmd  `cmd:"" help:"Make a failed call again."`
	Map    mapCmd    `cmd:"" help:"Run one map task from standard input to standard output."`
	Reduce reduceCmd `cmd:"" help:"Run one reduce task from standard input to standard output."`

	Child childCmd `cmd:"" hidden:"" help:"Do tasks for --isolate."`

	cli.Completions
}

// gcPercent lets garbage grow: a job keeps little and makes much.
const gcPercent = 300

func run(st *cli.State) int {
	time.Local = time.UTC // dates in scripts must not depend on the machine
	if st.Env("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return cli.Main(st, program())
}

// program describes tmrun.
func program() cli.Program {
	return cli.Program{
		Name:        "tmrun",
		Description: "Run a JavaScript map/combine/reduce job over stored telemetry: tmrun --data-dir DIR SCRIPT",
		Grammar:     &grammar{},
		Vars:        map[string]string{"formats": strings.Join(format.Names(), ",")},
		Shipped: map[string][]string{
			"script": shippedNames(scripts.FS, ".js"),
			"filter": shippedNames(filters.FS, ".js", ".json"),
		},
	}
}
