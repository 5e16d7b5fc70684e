package main

import (
	"errors"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/isolate"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout"
)

// debugVariable is the environment variable that makes tmrun print Go's stacks.
const debugVariable = "TMRUN_DEBUG"

// causes are the sentinel errors that have an exit code of their own, with the
// hint which flag helps; "" where none does.
var causes = []struct {
	err  error
	code int
	hint string
}{
	{script.ErrTimeout, cli.ExitLimit, ""},
	{errTimeout, cli.ExitLimit, ""},
	{engine.ErrOutputLimit, cli.ExitLimit, "--max-output allows more"},
	{engine.ErrTooManyRejected, cli.ExitScript, "--max-errors tolerates more"},
	{isolate.ErrMemory, cli.ExitLimit, "--task-memory gives a task more"},
	{isolate.ErrKilled, cli.ExitLimit, ""},
	{engine.ErrStream, cli.ExitCorrupt, ""},
	{engine.ErrBadLine, cli.ExitCorrupt, ""},
}

// flagNotes say which flag helps against an error of a script.
var flagNotes = []struct {
	err  error
	note string
}{
	{script.ErrTimeout, "--call-timeout gives a call more time; 0 is no limit."},
	{script.ErrNoDefinitions, "--revision-cache or --revision-server says where they are."},
}

// scriptDetail returns what stands below a script's error: its own detail, then the
// flag that helps.
func scriptDetail(e *script.Error) string {
	detail := e.Detail()
	for _, n := range flagNotes {
		if errors.Is(e, n.err) {
			detail += n.note + "\n"
		}
	}
	return detail
}

// explainError gives an error of a job its exit code, detail and hint. dataDir is
// the data folder, or "".
func explainError(st *cli.State, err error, dataDir string) error {
	out := &cli.Error{Err: err, Code: -1}

	// What failed: the script, or the data.
	if e, ok := errors.AsType[*script.Error](err); ok {
		out.Code = cli.ExitScript
		out.Detail = scriptDetail(e)
	}

	if _, ok := errors.AsType[*layout.CorruptError](err); ok {
		out.Code = cli.ExitCorrupt
		if dataDir != "" {
			out.Hint = "tmserver check --data-dir " + dataDir + " says what else is damaged"
		}
	}

	// A limit is more exact than the script's error in which it came.
	for _, cause := range causes {
		if errors.Is(err, cause.err) {
			out.Code = cause.code
			out.Hint = cause.hint
			break
		}
	}

	// A panic in Go is not a limit and not an exception, even below a script's function.
	if e, ok := errors.AsType[*engine.PanicError](err); ok {
		out.Code = cli.ExitFailed
		out.Hint = debugVariable + "=1 prints the stack, which a report needs"
		if st.Env(debugVariable) != "" {
			out.Detail = string(e.Stack)
			out.Hint = "a report needs this stack"
		}
	}

	// Any other error has its code already, or is a plain failure.
	if out.Code < 0 {
		return err
	}
	return out
}
