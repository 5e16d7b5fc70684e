package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script/suggest"
	"github.com/aitgithub/telemetry-server/engine/tables"
)

// formatName returns the output's format: the flag's, or the one that the output
// file's ending names. Another ending is an error: the file would not be what it says.
func (c *runCmd) formatName() (string, error) {
	if c.Format != "" {
		return c.Format, nil
	}

	name, err := format.Of(c.outputName())
	if err != nil {
		return "", cli.WithHint(cli.Fail(cli.ExitUsage, err), "--format chooses one whatever the ending is")
	}
	return name, nil
}

// newSink adds to opened what writes the rows of a table, nil for those that reduce writes,
// to the output or, in a folder, to a file or parts named base.
func (c *runCmd) newSink(ctx context.Context, s *session, opened *result, table *tables.Table, base, formatName string, order format.OrderOptions) (engine.Sink, error) {
	names, err := s.job.Script.Columns(ctx, s.job.Limits)
	if err != nil {
		return nil, err
	}
	columns := names

	// A table without a header writes no line of names.
	if table != nil {
		names = table.Columns()
		columns = names
		if !table.Header && format.HasHeader(formatName) {
			columns = nil
		}
	}

	var sink engine.Sink
	switch path := filepath.Join(c.Output, base); {
	case c.PartSize > 0:
		sink, err = newParts(opened, path, formatName, columns, s.engine.WorkDir, int64(c.PartSize))
	case c.isFolder():
		var file *cli.Output
		if file, err = cli.OpenOutput(path+"."+formatName, nil); err != nil {
			return nil, err
		}
		opened.files = append(opened.files, file)
		sink, err = format.New(formatName, file, columns, s.engine.WorkDir)
	default:
		sink, err = format.New(formatName, opened.files[0], columns, s.engine.WorkDir)
	}

	// What can be wrong is the columns, so the script is at fault.
	if err != nil && table == nil {
		err = cli.Fail(cli.ExitScript, err)
	}
	if err != nil {
		return nil, err
	}

	ordered, err := s.orderRows(sink, names, order)
	if err == nil {
		opened.orders = append(opened.orders, ordered)
	}
	return ordered, err
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

// orderError turns the error of a missing column into a usage error, with a hint.
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
