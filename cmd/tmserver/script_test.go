package main

import (
	"os"
	"testing"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/cmd/cli/clitest"
)

func TestMain(m *testing.M) {
	clitest.Main(m, map[string]func(){
		"tmserver": func() {
			killAtChange()
			os.Exit(run(withClock(cli.OS())))
		},
	})
}

// TestScripts runs testdata/*.txtar.
func TestScripts(t *testing.T) { clitest.Run(t, "testdata", "tmrun") }
