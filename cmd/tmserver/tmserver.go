// Command tmserver is the operator's command: it receives submissions, converts
// raw logs, and maintains a data folder.
//
// The flow of every command is
//
//  1. main passes the process's surroundings to run, as a cli.State.
//  2. cli.Main parses the arguments into the grammar below.
//  3. The command's Run checks its flags (validate), opens what it needs, works, and
//     prints results to stdout and reports to stderr.
//  4. cli.Main prints Run's error with its hint and returns its exit code.
//
// # To add …
//
// A command: a file cmd_<name>.go with a struct of flags, Help, which ends in EXIT
// STATUS, and Run; a field of grammar; a place in docs/ that names the command; a
// script testdata/<name>.txtar. TestEveryCommandHasHelp fails without help or
// documentation, the compiler without Run.
//
// A flag: a field, with the tag help, of the command's struct or of one that several
// commands embed (flags.go, filters.go, data_folder.go, raw_version.go); its check in
// validate; a test in the command's .txtar. A flag of serve also has the tag
// env:"TMSERVER_<NAME>", which TestEveryKeyIsFlagAndVariable requires, and so is a
// key of the configuration file.
//
// A part of serve: see serveParts in serve_parts.go.
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
	Trash   trashCmd   `cmd:"" help:"List, restore or delete what retention removed."`
	Backup  backupCmd  `cmd:"" help:"Copy a data folder, beside a running server."`
	Restore restoreCmd `cmd:"" help:"Bring back a data folder from a backup."`
	Tap     tapCmd     `cmd:"" help:"Print submissions while they arrive, and what becomes of them: a debug view."`
	Forget  forgetCmd  `cmd:"" help:"Deletion requests: list them, add one, apply them, prove that nothing is left."`
	Check   checkCmd   `cmd:"" help:"Verify, and repair, what is stored."`
	Cat     catCmd     `cmd:"" help:"Print segments as lines."`
	Import  importCmd  `cmd:"" help:"Convert raw logs from elsewhere, the predecessor's too."`
	Replay  replayCmd  `cmd:"" help:"Submit what raw logs hold to another server."`
	Gen     genCmd     `cmd:"" help:"Make up realistic pings."`
	Bench   benchCmd   `cmd:"" help:"Measure how much a server and its disk can receive."`
	Demo    demoCmd    `cmd:"" help:"Show the whole flow on made-up pings."`
	Convert convertCmd `cmd:"" help:"Convert raw logs, or lines from stdin."`

	Revisions revisionsCmd `cmd:"" help:"Maintain the histogram definitions and their history."`
	Invalid   invalidCmd   `cmd:"" help:"Inspect the quarantine; convert it again."`
	Stats     statsCmd     `cmd:"" help:"Report what was converted and what was not."`

	Child childCmd `cmd:"" hidden:"" help:"Convert a part of a raw log for another process."`

	cli.Common
}

func run(st *cli.State) int { return cli.Main(st, program()) }

// program describes tmserver.
func program() cli.Program {
	return cli.Program{
		Name:        "tmserver",
		Description: "Receive, convert and store browser telemetry.",
		Grammar:     &grammar{},
	}
}
