package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout"
)

// reproCmd makes failed calls again.
type reproCmd struct {
	File        string        `arg:"" predictor:"file" help:"The calls that a failed job saved."`
	Script      string        `predictor:"script" placeholder:"FILE" help:"The script or filter to call (default: the one that failed, as it is now)."`
	CallTimeout time.Duration `name:"call-timeout" default:"30s" help:"What one call may take; 0 is no limit."`

	definitionFlags `embed:""`
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
	limits := script.DefaultLimits()
	limits.Call = c.CallTimeout
	definitions, err := c.open(call.DataDir)
	if err != nil {
		return err
	}
	if definitions != nil {
		defer definitions.Close()
		limits.Definitions = definitions
	}
	job := &script.Job{Limits: limits, Console: consoleTo(st, name)}
	if call.OfFilter() {
		job.Filter, err = loadFilter(ctx, name, limits, job.Console)
	} else {
		job.Script, err = loadScript(name)
	}
	if err != nil {
		return err
	}
	replay, err := job.Replay(call)
	if err != nil {
		return cli.Fail(cli.ExitUsage, fmt.Errorf("%s: %w", c.File, err))
	}
	if call.Left > 0 {
		fmt.Fprintf(st.Stderr, "tmrun: %d values of the key were not saved\n", call.Left)
	}
	if call.Phase == "mapFinished" {
		return c.finished(ctx, st, call, job, replay)
	}
	record, err := call.Record()
	if err != nil {
		return cli.Fail(cli.ExitUsage, fmt.Errorf("%s: %w", c.File, err))
	}
	src := memory.Source{{Path: call.Segment, Dims: call.Dims, Frames: []string{record + "\n"}}}
	return runInto(ctx, replay, src, 1, 1, format.NewTSV(st.Stdout))
}

// finished maps the records of a task again, then calls mapFinished.
func (c *reproCmd) finished(ctx context.Context, st *cli.State, call *script.Call, job *script.Job, replay engine.Job) error {
	tree, err := layout.OpenTree(call.DataDir)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}
	defer tree.Close()
	if job.Filter, err = loadFilter(ctx, call.Filter, job.Limits, job.Console); err != nil {
		return err
	}
	src := engine.TreeSource{Tree: tree}
	plan, err := engine.NewPlan(ctx, src, job.Filter.Selection, nil)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(plan.Tasks, func(t engine.Task) bool { return t.String() == call.Segment })
	if at < 0 {
		return cli.Usage("%s has no segment %s any more", call.DataDir, call.Segment)
	}
	plan.Tasks = plan.Tasks[at : at+1]
	if call.Sample > 0 && call.Sample < 1 {
		replay = engine.Sample(replay, call.Sample)
	}
	sink := format.NewTSV(st.Stdout)
	_, err = engine.Run(ctx, src, plan, replay, sink, engine.DefaultOptions())
	return errors.Join(err, sink.Close())
}
