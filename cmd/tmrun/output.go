package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
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

// newSink opens the sink of the job's rows. The caller closes or discards it.
func (s *session) newSink(ctx context.Context, name string, w io.Writer, order format.OrderOptions) (*format.Order, error) {
	columns, err := s.job.Script.Columns(ctx, s.job.Limits)
	if err != nil {
		return nil, err
	}

	// What can be wrong is the columns, so the script is at fault.
	sink, err := format.New(name, w, columns, s.engine.WorkDir)
	if err != nil {
		return nil, cli.Fail(cli.ExitScript, err)
	}

	return s.orderRows(sink, columns, order)
}

// orderRows returns a sink that orders the rows for another one.
func (s *session) orderRows(sink engine.Sink, columns []string, order format.OrderOptions) (*format.Order, error) {
	order.Columns = columns
	order.Memory = s.engine.Memory
	order.Dir = s.engine.WorkDir
	ordered, err := format.NewOrder(sink, order)
	return ordered, orderError(err)
}

// order returns the order and the number of rows that the flags ask for.
func (c *runCmd) order() (order format.OrderOptions, err error) {
	if c.Limit < 0 {
		return order, cli.Usage("--limit %d is below 0", c.Limit)
	}
	order.Limit = c.Limit

	for _, text := range c.OrderBy {
		columns, err := format.ParseOrder(text)
		if err != nil {
			return order, cli.Usage("--order-by: %v", err)
		}
		order.By = append(order.By, columns...)
	}
	return order, nil
}

// orderError makes a column that there is not a mistake of the command line.
func orderError(err error) error {
	missing, ok := errors.AsType[*format.OrderError](err)
	if !ok {
		return err
	}
	usage := cli.Usage("--order-by: %v", missing)
	if near := suggest.Nearest(missing.Column, missing.There); near != "" {
		return cli.WithHint(usage, "did you mean "+near+"?")
	}
	return usage
}

// output is stdout, or a file that appears under its name when it is complete.
type output struct {
	io.Writer
	file *os.File // nil for stdout
	name string
	// special says that the name is that of a device or a pipe, which is written to as it
	// is: a file in its place would take it from all other programs.
	special bool
}

// openOutput opens a temporary file for the named one; "" and "-" are stdout. The
// caller calls commit, or discard, or both in this order.
func openOutput(name string, stdout io.Writer) (*output, error) {
	if name == "" || name == "-" {
		return &output{Writer: stdout}, nil
	}

	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		return nil, cli.Usage("--output %s is a folder", name)
	}
	if err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("open output: %w", err)
		}
		return &output{Writer: f, file: f, name: name, special: true}, nil
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
	if o.special {
		file := o.file
		o.file = nil
		return file.Close()
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
	if o.file == nil {
		return
	}
	o.file.Close()
	if !o.special {
		os.Remove(o.file.Name())
	}
}
