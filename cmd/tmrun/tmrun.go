// Command tmrun is the analyst's command: it runs a JavaScript job over the
// segments of a data folder.
//
// Every subcommand has a file of its own, cmd_<name>.go, with a struct of its
// options, its long help, and Run. They share a session (session.go), which is
// opened in a few steps:
//
//	script, limits, filter ─► tree, plan ─► sink ─► where tasks run ─► engine.Run ─► report
//	loadScript                openTree      newSink  isolateTasks                     startReport
//	allowCalls                makePlan               takeSample                       summary
//	loadFilter                                       openCache
//
// Command run takes all steps. With --explain it stops after the plan and runs a
// few tasks for an estimate (explain.go). Commands map, reduce and child have no
// tree, because their records come on standard input. Command repro makes failed
// calls again, which failed.go saved. Command test runs cases in all the ways that
// must not change their output (laws.go).
//
// A job whose rows the script imports is a pass before it, with the same data
// (passes.go).
//
// An error gets its exit code and its hint about flags in errors.go, and nowhere
// else: libraries know no flags.
//
// To add a subcommand: write cmd_<name>.go and name it in grammar.
// TestEveryCommandHasHelp fails if it has no long help with EXIT STATUS, or if
// neither README nor docs/ names it.
package main

import (
	"os"
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

	Run        runCmd        `cmd:"" default:"withargs" help:"Run a job (the default)."`
	Show       showCmd       `cmd:"" help:"Print some records so that people can read them."`
	Fields     fieldsCmd     `cmd:"" help:"List the fields of the records, with types, shares and examples."`
	Histograms histogramsCmd `cmd:"" help:"List the histograms of the records, with kinds and descriptions."`

	New    newCmd    `cmd:"" help:"Start a script from a template, with a test and the types for editors."`
	Check  checkCmd  `cmd:"" help:"Find mistakes in scripts before they run."`
	Test   testCmd   `cmd:"" help:"Run the tests beside scripts, in many ways that must not change the output."`
	Repro  reproCmd  `cmd:"" help:"Make a failed call again."`
	Map    mapCmd    `cmd:"" help:"Run one map task from standard input to standard output."`
	Reduce reduceCmd `cmd:"" help:"Run one reduce task from standard input to standard output."`

	Child    childCmd    `cmd:"" hidden:"" help:"Run tasks for --isolate."`
	Describe describeCmd `cmd:"" hidden:"" help:"Print what a script exports for a server that runs it."`
	Alert    alertCmd    `cmd:"" hidden:"" help:"Print what a script's alert says of rows."`

	cli.Common
}

// gcPercent lets garbage grow: a job holds little data and makes much garbage.
const gcPercent = 300

// Dates in scripts must not depend on the machine. It is set before anything runs that
// reads it.
func init() { time.Local = time.UTC }

func main() { os.Exit(run(cli.OS())) }

func run(st *cli.State) int {
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
