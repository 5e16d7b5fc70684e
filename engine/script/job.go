package script

import (
	"context"

	"github.com/aitgithub/telemetry-server/engine"
)

// Job runs a script's map, combine and reduce. It is immutable and safe for
// concurrent use.
type Job struct {
	Script  *Script
	Filter  *FilterScript // nil: every record
	Limits  Limits
	Console func(level, text string) // nil drops; safe for concurrent use

	Counters *Counters // nil drops what scripts count
}

var _ engine.Job = (*Job)(nil)

// Remote implements engine.Job: scripts run in this process.
func (j *Job) Remote() bool { return false }

// NewMapper implements engine.Job.
func (j *Job) NewMapper(ctx context.Context, t engine.Task, emit engine.Emit) (engine.Mapper, error) {
	return newMapper(ctx, j, t, emit)
}

// NewReducer implements engine.Job.
func (j *Job) NewReducer(ctx context.Context, _ int, out *engine.Output) (engine.Reducer, error) {
	return newReducer(ctx, j, out)
}

// cacheVersion changes with what a script sees or how values cross.
const cacheVersion = "1"

// CacheKey identifies what map and combine do: the script, and the filter's
// script if that decides about records. What the filter leaves out before is not
// mapped.
func (j *Job) CacheKey() []byte {
	hash := j.Script.Hash()
	key := hash[:]
	if j.filtersRecords() {
		hash := j.Filter.script.Hash()
		key = append(key, hash[:]...)
	}

	if j.Limits.Definitions == nil {
		key = append(key, "no definitions"...)
	}

	return append(key, cacheVersion...)
}

// filtersRecords reports whether a filter decides about each record.
func (j *Job) filtersRecords() bool { return j.Filter != nil && j.Filter.decidesRecords() }
