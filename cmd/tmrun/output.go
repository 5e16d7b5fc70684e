package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

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

// output is stdout, or a file that appears under its name when it is complete.
type output struct {
	io.Writer
	file *os.File
	name string
}

func openOutput(name string, stdout io.Writer) (*output, error) {
	if name == "" || name == "-" {
		return &output{Writer: stdout}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("create output: %w", err)
	}
	return &output{Writer: f, file: f, name: name}, nil
}

// commit renames the finished file into place.
func (o *output) commit() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Chmod(0o644)
	if err == nil {
		err = o.file.Sync()
	}
	if cerr := o.file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(o.file.Name(), o.name)
	}
	if err != nil {
		return fmt.Errorf("write output %s: %w", o.name, err)
	}
	o.file = nil
	return nil
}

// discard removes what was not committed.
func (o *output) discard() {
	if o.file != nil {
		o.file.Close()
		os.Remove(o.file.Name())
	}
}
