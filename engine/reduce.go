package engine

import (
	"context"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// cancelKeys is after how many keys a reducer notices that the job was cancelled.
const cancelKeys = 256

// reduceShard reduces the keys of one shard into out.
func (r *runner) reduceShard(ctx context.Context, shard shuffle.Shard, i int, out *Output) error {
	// What the script writes before its first key appears once. A remote reducer drops
	// it there.
	out.drop = i > 0
	reducer, err := r.job.NewReducer(ctx, i, out)
	if err != nil {
		return err
	}
	defer reducer.Close()
	out.drop = false

	// A remote reducer gets the keys, and counts and rejects them there. What it writes
	// before the first one ends there, too.
	remote := r.job.Remote()
	if !remote && i == 0 {
		if err := out.endPreamble(); err != nil {
			return err
		}
	}

	merged, err := r.store.Merge(shard)
	if err != nil {
		return err
	}

	var keys, failed int64
	for {
		key, values, err := merged.Next()
		if err != nil {
			return err
		}
		if values == nil {
			break
		}

		keys++
		if keys%cancelKeys == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}

		// The output of a remote reducer arrives at any time, so it cannot be rolled back.
		if remote {
			if err := reducer.Reduce(key, values); err != nil {
				return err
			}
			continue
		}

		// What a rejected key has written must not appear.
		before := out.mark()
		if err := reducer.Reduce(key, values); err != nil {
			if err := r.reject.tolerate("key", err); err != nil {
				return err
			}
			failed++
			out.rollBack(before)
		}
	}

	// Remote jobs say only now what they have rejected.
	before := out.mark()
	counted, err := reducer.Finish()
	if err != nil {
		if err := r.reject.tolerate("reduceFinished", err); err != nil {
			return err
		}
		failed++
		out.rollBack(before)
	}
	if remote {
		failed = counted.Failed
		if err := r.reject.add(failed); err != nil {
			return err
		}
	}

	r.shardDone(keys, failed, out)
	return nil
}
