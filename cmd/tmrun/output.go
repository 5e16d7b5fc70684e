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
)

// formatName returns the output's format: the flag's, or the one that the output
// file's ending names. Another ending is an error: the file would not be what it says.
func (c *runCmd) formatName() (string, error) {
	if c.Format != "" {
		return c.Format, nil
	}

	name, err := format.Of(c.Output)
	if err != nil {
		return "", cli.WithHint(cli.Fail(cli.ExitUsage, err), "--format chooses one whatever the ending is")
	}
	return name, nil
}

// newSink returns the sink that writes the named format to w, with the columns
// that the script exports. The caller closes it.
func (s *session) newSink(ctx context.Context, name string, w io.Writer) (engine.Sink, error) {
	columns, err := s.job.Script.Columns(ctx, s.job.Limits)
	if err != nil {
		return nil, err
	}

	// What can be wrong is the columns, so the script is at fault.
	sink, err := format.New(name, w, columns, s.engine.WorkDir)
	if err != nil {
		return nil, cli.Fail(cli.ExitScript, err)
	}
	return sink, nil
}

// output is stdout, or a file that appears under its name when it is complete.
type output struct {
	io.Writer
	file *os.File // nil for stdout
	name string
}

// openOutput opens a temporary file for the named one; "" and "-" are stdout. The
// caller calls commit, or discard, or both in this order.
func openOutput(name string, stdout io.Writer) (*output, error) {
	if name == "" || name == "-" {
		return &output{Writer: stdout}, nil
	}

	// In the same folder, so that it can be renamed.
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

	// CreateTemp makes files that only their owner reads; a result is for others too.
	err := o.file.Chmod(0o644)
	if err == nil {
		err = o.file.Sync()
	}

	// Close the file after an error too; the first error counts.
	closeErr := o.file.Close()
	if err == nil {
		err = closeErr
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

// discard removes the file unless it was committed.
func (o *output) discard() {
	if o.file != nil {
		o.file.Close()
		os.Remove(o.file.Name())
	}
}
