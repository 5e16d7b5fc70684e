package main

import (
	"os"
	"testing"

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
