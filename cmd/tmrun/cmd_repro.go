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

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// reproCmd makes failed calls again.
type reproCmd struct {
	File      string `arg:"" predictor:"file" help:"The calls that a failed job saved."`
	Script    string `predictor:"script" placeholder:"FILE" help:"The script or filter to call (default: the one that failed, as it is now)."`
	callFlags `embed:""`
}

// Help is the long help.
func (c *reproCmd) Help() string {
	return `Makes the calls that a failed job saved again, with the script as it is now. It
prints what they write, and the errors of those that fail again.

EXIT STATUS: 0 no call fails any more; 1 failed; 2 usage, or the file has no saved
calls; 5 a call fails again; 6 a limit was hit.`
}

// Run implements the command.
func (c *reproCmd) Run(ctx context.Context, st *cli.State) error {
	f, err := os.Open(c.File)
	if err != nil {
		return cli.Fail(cli.ExitUsage, err)
	}
	defer f.Close()

	// Every error but the last is printed here, the last one by main.
	var last error
	calls := 0

	dec := json.NewDecoder(bufio.NewReader(f))
	for {
		var call script.Call
		err := dec.Decode(&call)
		if err == io.EOF {
			break
		}
		if err != nil { // a file of something else
			return cli.Fail(cli.ExitUsage, fmt.Errorf("%s: call %d: %w", c.File, calls+1, err))
		}
		calls++

		err = c.replay(ctx, st, &call)
		if err == nil {
			continue
		}

		// Only errors of the script are what the user came for; others end the command.
		if _, ok := errors.AsType[*script.Error](err); !ok {
			return err
		}
		if last != nil {
			fmt.Fprintln(st.Stderr, errorText(last))
		}
		last = err
	}

	if last != nil {
		return explainError(st, last, "")
	}
	fmt.Fprintf(st.Stderr, "tmrun: %d calls made again, none fails\n", calls)
	return nil
}

// replay makes one call again.
func (c *reproCmd) replay(ctx context.Context, st *cli.State, call *script.Call) error {
	s := newSession(st)
	defer s.close()

	// Load what was called: a filter's function or a job's.
	name := c.Script
	if name == "" {
		name = call.Script
	}

	if err := s.allowCalls(&c.callFlags, call.DataDir); err != nil {
		return err
	}

	s.job.Console = consoleTo(st, name)
	load := s.loadScript
	if call.OfFilter() {
		load = func(name string) error { return s.loadFilter(ctx, name) }
	}
	if err := load(name); err != nil {
		return err
	}

	// The rows that the script imports were saved with the call.
	if !call.OfFilter() && len(s.job.Script.Jobs) > 0 {
		if err := s.readResults(c.File + resultsSuffix); err != nil {
			return cli.Fail(cli.ExitUsage, err)
		}
	}

	// The engine runs the call as a job, so that errors and output look as they did.
	var err error
	s.work, err = s.job.Replay(call)
	if err != nil {
		return cli.Fail(cli.ExitUsage, fmt.Errorf("%s: %w", c.File, err))
	}
	if call.Left > 0 {
		fmt.Fprintf(st.Stderr, "tmrun: %d values of the key were not saved\n", call.Left)
	}
	if call.Phase == "mapFinished" {
		return c.replayTask(ctx, s, call)
	}

	// The other calls depend on nothing but what was saved with them.
	record, err := call.Record()
	if err != nil {
		return cli.Fail(cli.ExitUsage, fmt.Errorf("%s: %w", c.File, err))
	}
	source := memory.Source{{Path: call.Segment, Dims: call.Dims, Frames: []string{record + "\n"}}}
	return runInto(ctx, s.work, source, 1, 1, format.NewTSV(st.Stdout))
}

// replayTask maps the records of a task again, then calls mapFinished.
func (c *reproCmd) replayTask(ctx context.Context, s *session, call *script.Call) error {
	// The call says which records the failed job read.
	if err := s.loadFilter(ctx, call.Filter); err != nil {
		return err
	}

	if err := s.openTree(call.DataDir); err != nil {
		return err
	}
	if err := s.makePlan(ctx); err != nil {
		return err
	}

	// Of the plan, only the task that failed.
	at := slices.IndexFunc(s.plan.Tasks, func(t engine.Task) bool { return t.String() == call.Segment })
	if at < 0 {
		return cli.Usage("%s has no segment %s any more", call.DataDir, call.Segment)
	}

	s.plan.Tasks = s.plan.Tasks[at : at+1]

	// What is 0 was not written.
	share := engine.Whole()
	if call.Sample > 0 {
		share.Records = call.Sample
	}
	if call.Clients > 0 {
		share.Clients = call.Clients
	}
	s.takeSample(share)

	// Closing the sink writes the rows so far, even after an error.
	sink := format.NewTSV(s.st.Stdout)
	_, err := engine.Run(ctx, s.source, s.plan, s.work, sink, s.engine)
	return errors.Join(err, sink.Close())
}
