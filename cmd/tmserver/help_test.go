package main

import (
	"testing"

	"github.com/aitgithub/telemetry-server/cmd/cli/clitest"
)

func TestEveryCommandHasHelp(t *testing.T) { clitest.CheckHelp(t, program()) }
