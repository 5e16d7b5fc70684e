package engine

import (
	"context"
	"sync"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// TaskPairs returns the pairs of one part of a task that is done, of all keys in order;
// parts are numbered as Task.Places.
type TaskPairs func(place int) (*shuffle.Merger, error)

// MapTasks runs map tasks by themselves, Options.Mappers at a time, and calls write when
// one is done, one call at a time: with what it did and its pairs, or with its error. A
// task that fails ends the others unless write returns nil.
func MapTasks(ctx context.Context, src Source, tasks []Task, job Job, o Options, write func(t Task, done TaskStats, pairs TaskPairs, err error) error) error {
	if err := o.validate(); err != nil {
		return err
	}

	var writing sync.Mutex
	return parallel(ctx, o.Mappers, len(tasks), func(ctx context.Context, i int) error {
		// Each task has a store of its own, which spills as that of a whole job.
		run := newRunner(src, job, o)
		defer run.store.Close()

		// In it, the places are the numbers of the parts.
		task := tasks[i]
		task.Places = make([]int, len(task.Places))
		for place := range task.Places {
			task.Places[place] = place
		}

		err := guard(func() error { return run.mapTask(ctx, task) })
		if err == nil && len(task.Places) == 1 {
			err = run.store.Compact(inTurn)
		}

		// write need not be safe for concurrent use.
		writing.Lock()
		defer writing.Unlock()
		return write(tasks[i], run.stats.TaskStats, run.store.MergeTask, err)
	})
}

// inTurn calls do for 0..n-1, for Store.Compact.
func inTurn(n int, do func(int) error) error {
	for i := range n {
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}
