package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/cmd/cli/clitest"
)

func TestMain(m *testing.M) {
	clitest.Main(m, map[string]func(){
		"tmrun": func() { os.Exit(run(cli.OS())) },
	})
}

// TestScripts runs testdata/script/*.txtar.
func TestScripts(t *testing.T) { clitest.Run(t, "testdata/script") }

// TestHelp: every subcommand's long help ends with its exit codes.
func TestHelp(t *testing.T) {
	parser, err := kong.New(&grammar{}, kong.Vars(program().Vars), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}

	end := regexp.MustCompile(`(?s)\n\nEXIT STATUS: [0-9].*\.$`)
	for _, command := range parser.Model.Children {
		if command.Name == "install-completions" { // of the library
			continue
		}
		if !end.MatchString(command.Detail) {
			t.Errorf("the help of %s does not end with EXIT STATUS:\n%s", command.Name, command.Detail)
		}
	}
}
