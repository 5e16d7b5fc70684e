package main

import (
	"github.com/alecthomas/kong"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

// grammar lists the subcommands; each has a file of its own, cmd_<name>.go.
type grammar struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	Serve   serveCmd   `cmd:"" help:"Receive submissions, convert and publish them."`
	Compact compactCmd `cmd:"" help:"Merge segments, remove old ones."`
	Check   checkCmd   `cmd:"" help:"Verify, and repair, what is stored."`
	Import  importCmd  `cmd:"" help:"Convert raw logs from elsewhere, the predecessor's too."`
	Replay  replayCmd  `cmd:"" help:"Submit what raw logs hold to another server."`
	Gen     genCmd     `cmd:"" help:"Make up realistic pings."`
	Bench   benchCmd   `cmd:"" help:"Measure what a server and its disk can take."`
	Demo    demoCmd    `cmd:"" help:"Show the whole flow on made-up pings."`
	Convert convertCmd `cmd:"" help:"Convert raw logs, or lines from stdin."`

	Revisions revisionsCmd `cmd:"" help:"Look after the histogram definitions and their history."`
	Invalid   invalidCmd   `cmd:"" help:"Look into the quarantine; convert it again."`
	Stats     statsCmd     `cmd:"" help:"Report what was converted and what was not."`

	cli.Completions
}

func run(st *cli.State) int { return cli.Main(st, program()) }

// program describes tmserver.
func program() cli.Program {
	return cli.Program{
		Name:        "tmserver",
		Description: "Receive, convert and keep browser telemetry.",
		Grammar:     &grammar{},
	}
}
