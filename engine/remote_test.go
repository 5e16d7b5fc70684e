package engine_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/memory"
)

// remote is a job as it looks from outside when its tasks run in other processes: it
// counts itself.
type remote struct {
	engine.Job
	rejected int64
}

func (r remote) Remote() bool { return true }

func (r remote) NewMapper(ctx context.Context, t engine.Task, emit engine.Emit) (engine.Mapper, error) {
	m, err := r.Job.NewMapper(ctx, t, emit)
	return remoteMapper{m, r.rejected}, err
}

func (r remote) NewReducer(ctx context.Context, shard int, out *engine.Output) (engine.Reducer, error) {
	red, err := r.Job.NewReducer(ctx, shard, out)
	return remoteReducer{red, r.rejected}, err
}

type remoteMapper struct {
	engine.Mapper
	rejected int64
}

func (m remoteMapper) Effects() bool   { return true }
func (m remoteMapper) Lookups() string { return "" }

func (m remoteMapper) Finish() (engine.TaskStats, error) {
	return engine.TaskStats{Rejected: m.rejected, Emitted: 1000}, nil
}

type remoteReducer struct {
	engine.Reducer
	rejected int64
}

func (r remoteReducer) Finish() (engine.TaskStats, error) {
	return engine.TaskStats{Failed: r.rejected}, nil
}

// TestRemoteJobsCount: what a remote job counts is what the engine says, however the
// job is wrapped, and is compared with Options.MaxErrors.
func TestRemoteJobsCount(t *testing.T) {
	src := memory.Source{enginetest.Lines("a", "k\tv", "l\tw")}
	o := engine.DefaultOptions()
	o.MaxErrors = 4
	cache := &leakyCache{results: map[[32]byte][]byte{}}
	o.Cache = cache
	for name, job := range map[string]engine.Job{
		"plain":    remote{concat{}, 2},
		"sample":   engine.Sample(remote{concat{}, 2}, engine.Whole()),
		"combined": engine.Combining(remote{concat{}, 2}, 2),
	} {
		_, stats, err := runJob(t.Context(), src, job, o)
		if err != nil || stats.Rejected != 2 || stats.Failed != 2 || stats.Emitted != 1000 || !stats.Effects {
			t.Errorf("%s: %+v, %v", name, stats, err)
		}
	}
	if len(cache.results) > 0 {
		t.Error("the result of a job that does more than emit was cached")
	}

	o.MaxErrors = 3
	if _, _, err := runJob(t.Context(), src, remote{concat{}, 2}, o); !errors.Is(err, engine.ErrTooManyRejected) {
		t.Errorf("Run = %v, want ErrTooManyRejected", err)
	}
}
