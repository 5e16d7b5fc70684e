package script

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
)

// Job runs a script's map, combine and reduce. It is immutable and safe for
// concurrent use.
type Job struct {
	Script  *Script
	Filter  *FilterScript // nil: every record
	Limits  Limits
	Console func(level, text string) // nil drops; safe for concurrent use

	Counters *Counters // nil drops what scripts count
	Fields   *Fields   // nil: it is not noted which fields of pings scripts read
	Table    string    // of a script with tables: the only one whose rows are written; "" is all
}

var _ engine.Job = (*Job)(nil)

// OneShard implements engine.Job: reduceFinished is called once, after all keys.
func (j *Job) OneShard(ctx context.Context) (bool, error) {
	exports, err := j.Script.Exports(ctx, j.Limits)
	return exports.Function(declare.ReduceFinished), err
}

// Remote implements engine.Job: scripts run in this process.
func (j *Job) Remote() bool { return false }

// NewMapper implements engine.Job.
func (j *Job) NewMapper(ctx context.Context, t engine.Task, emit engine.Emit) (engine.Mapper, error) {
	made, err := newMapper(ctx, j, t, emit)
	if err != nil {
		return nil, err
	}
	return made, nil
}

// NewReducer implements engine.Job.
func (j *Job) NewReducer(ctx context.Context, _ int, out *engine.Output) (engine.Reducer, error) {
	return newReducer(ctx, j, out)
}

// cacheVersion changes with what a script sees or how values cross.
const cacheVersion = "3"

// CacheKey identifies what map and combine do with a record: the script, the filter's
// script, and the limits of their calls. It holds whether there are definitions; which
// ones a task has found is what its mapper's Lookups say.
func (j *Job) CacheKey() []byte {
	key := fmt.Appendf(nil, "version %s\nscript %q %x\n", cacheVersion, j.Script.Name, j.Script.Hash())
	for _, name := range slices.Sorted(maps.Keys(j.Script.results)) {
		key = fmt.Appendf(key, "result %q %s\n", name, j.Script.results[name].ID)
	}
	if j.Filter != nil && j.Filter.script != nil {
		key = fmt.Appendf(key, "filter %q %x\n", j.Filter.script.Name, j.Filter.script.Hash())
	}

	return fmt.Appendf(key, "call %s, stack %d, definitions %t\n", j.Limits.Call, j.Limits.Stack, j.Limits.Definitions != nil)
}

// filtersRecords reports whether a filter decides about each record.
func (j *Job) filtersRecords() bool { return j.Filter != nil && j.Filter.decidesRecords() }
