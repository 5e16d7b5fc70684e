package main

import (
	"os"

	"github.com/aitgithub/telemetry-server/cmd/cli"
)

func main() { os.Exit(run(cli.OS())) }
