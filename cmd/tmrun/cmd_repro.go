package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// reproCmd makes failed calls again.
type reproCmd struct {
	File        string        `arg:"" predictor:"file" help:"The calls that a failed job saved."`
	Script      string        `predictor:"script" placeholder:"FILE" help:"The script to call (default: the one that failed, as it is now)."`
	CallTimeout time.Duration `name:"call-timeout" default:"30s" help:"What one call may take; 0 is no limit."`
}

// Run implements the command: it prints what the calls write, and the error of
// those that fail again.
//
// EXIT STATUS: 0 no call fails any more; 5 one does; 2 the file is none of tmrun's.
func (c *reproCmd) Run(ctx context.Context, st *cli.State) error {
	f, err := os.Open(c.File)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}
	defer f.Close()
	var last error
	dec := json.NewDecoder(bufio.NewReader(f))
	calls, failed := 0, 0
	for ; ; calls++ {
		var call script.Call
		if err := dec.Decode(&call); err == io.EOF {
			break
		} else if err != nil {
			return cli.Fail(cli.ExitUsage, fmt.Errorf("%s: call %d: %w", c.File, calls+1, err))
		}
		err := c.replay(ctx, st, &call)
		if err == nil {
			continue
		}
		if _, ok := errors.AsType[*script.Error](err); !ok {
			return err
		}
		if last != nil {
			e, _ := errors.AsType[*script.Error](last)
			fmt.Fprintf(st.Stderr, "%v\n%s", last, e.Detail())
		}
		last = err
		failed++
	}
	if last != nil {
		return (&runCmd{}).explain(st, last)
	}
	fmt.Fprintf(st.Stderr, "tmrun: %d calls made again, none fails\n", calls)
	return nil
}

func (c *reproCmd) replay(ctx context.Context, st *cli.State, call *script.Call) error {
	name := c.Script
	if name == "" {
		name = call.Script
	}
	compiled, err := loadScript(name)
	if err != nil {
		return err
	}
	limits := script.DefaultLimits()
	limits.Call = c.CallTimeout
	job, err := (&script.Job{Script: compiled, Limits: limits, Console: consoleTo(st, compiled.Name)}).Replay(call)
	if err != nil {
		return cli.Fail(cli.ExitUsage, fmt.Errorf("%s: %w", c.File, err))
	}
	record, err := call.Record()
	if err != nil {
		return cli.Fail(cli.ExitUsage, fmt.Errorf("%s: %w", c.File, err))
	}
	if call.Left > 0 {
		fmt.Fprintf(st.Stderr, "tmrun: %d values of the key were not saved\n", call.Left)
	}
	src := enginetest.Source{{Path: call.Segment, Dims: call.Dims, Frames: []string{record + "\n"}}}
	return runInto(ctx, job, src, 1, 1, engine.NewTSV(st.Stdout))
}
