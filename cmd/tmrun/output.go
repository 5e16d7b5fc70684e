package main

import (
	"context"
	"errors"
	"io"

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
