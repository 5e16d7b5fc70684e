package main

import (
	"context"
	"io"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// sink returns what writes the output in the format asked for.
func (c *runCmd) sink(ctx context.Context, s *script.Script, limits script.Limits, w io.Writer) (engine.Sink, error) {
	columns, err := s.Columns(ctx, limits)
	if err != nil {
		return nil, err
	}
	name := c.Format
	if name == "" {
		name = format.Of(c.Output)
	}
	sink, err := format.New(name, w, columns, c.WorkDir)
	if err != nil {
		return nil, cli.Fail(cli.ExitScript, err)
	}
	return sink, nil
}
