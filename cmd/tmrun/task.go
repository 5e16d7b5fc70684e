package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// taskFlags are what map, reduce and the children of --isolate have in common.
type taskFlags struct {
	Script          string        `arg:"" predictor:"script" help:"The job: a path, or the name of a shipped script."`
	MaxErrors       failures      `name:"max-errors" default:"0" placeholder:"N" help:"Records and keys that may fail without stopping the task; -1 is any number."`
	CallTimeout     time.Duration `name:"call-timeout" default:"30s" help:"What one call of a script's function may take; 0 is no limit."`
	TaskMemory      size          `name:"task-memory" default:"0" placeholder:"SIZE" help:"Memory that this process may use; 0 is no limit."`
	definitionFlags `embed:""`
}

// begin limits the process and compiles the script.
func (f *taskFlags) begin(st *cli.State) (*script.Job, engine.Options, error) {
	o := engine.DefaultOptions()
	o.MaxErrors, o.Log = int64(f.MaxErrors), st.Log
	if f.TaskMemory > 0 {
		debug.SetMemoryLimit(int64(f.TaskMemory) * 3 / 4)
		if err := limitMemory(uint64(f.TaskMemory)); err != nil {
			return nil, o, fmt.Errorf("limit memory: %w", err)
		}
		o.Memory = int64(f.TaskMemory) / 8
	}
	s, err := loadScript(f.Script)
	if err != nil {
		return nil, o, err
	}
	limits := script.DefaultLimits()
	limits.Call = f.CallTimeout
	definitions, err := f.open("")
	if err != nil {
		return nil, o, err
	}
	if definitions != nil { // open until the process ends
		limits.Definitions = definitions
	}
	// A native call that does not listen to interrupts, such as a regular
	// expression: only the end of the process ends it.
	limits.Stuck = func(err error) { os.Exit(cli.Report(st, "tmrun", cli.Fail(cli.ExitLimit, err))) }
	return &script.Job{Script: s, Limits: limits, Console: consoleTo(st, s.Name)}, o, nil
}
