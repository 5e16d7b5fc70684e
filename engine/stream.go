package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// Tasks as streams of lines, which --isolate speaks. The contract of `tmrun map` and
// `tmrun reduce` is that of pairs.go.
//
//	map reads    <id> TAB <json>
//	map writes   hex(key) TAB base64(value), combined, sorted by key in runs
//	reduce reads the same, sorted by key, values in input order
//	reduce writes what a Sink writes, or EncodeRows
//
// Hex keeps the order of keys, so that any sort by text will do in between.

// ErrStream is returned (wrapped) for a line of another form.
var ErrStream = errors.New("malformed line in a stream")

// ErrOneShard is returned for a shard other than 0 of a job whose reducer must see all
// keys.
var ErrOneShard = errors.New("the job's reduceFinished must see all keys: reduce them in one task, shard 0")

// streamBytes is how much of a stream is read or written at once.
const streamBytes = 64 << 10

// MapStream runs one map task on the lines of in and writes entries to out.
func MapStream(ctx context.Context, job Job, t Task, in io.Reader, out io.Writer, o Options) (TaskStats, error) {
	if err := o.validate(); err != nil {
		return TaskStats{}, err
	}

	entries := bufio.NewWriterSize(out, streamBytes)
	task := &mapTask{task: t, table: shuffle.NewTable(o.sizes.TableBytes), reject: newRejections(&o)}
	task.store = func(groups []*shuffle.Group) error {
		if t.Segment.Parts == nil {
			return writeEntries(entries, nil, groups)
		}
		return writeEntries(entries, appendPart(nil, task.part), groups)
	}

	// A panic must not end the process before the status is reported.
	err := guard(func() error {
		if err := task.open(ctx, job); err != nil {
			return err
		}
		defer task.mapper.Close()
		return task.run(ctx, &lineBlocks{r: in})
	})

	flushErr := entries.Flush()
	if err == nil {
		err = flushErr
	}
	return task.done, err
}

// writeEntries writes the lines of groups, each behind a prefix.
func writeEntries(w *bufio.Writer, prefix []byte, groups []*shuffle.Group) error {
	var line []byte
	for _, g := range groups {
		// A line for each value, so that any sort by text keeps keys together.
		key := []byte(g.Key())
		values := g.Values()

		for {
			value, err := values.Next()
			if err != nil {
				return err
			}
			if value == nil {
				break
			}

			line = EncodeEntry(append(line[:0], prefix...), key, value)
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReduceStream runs one shard on the sorted entries of in. Of the statistics it
// counts what was rejected.
func ReduceStream(ctx context.Context, job Job, shardIndex int, in io.Reader, sink Sink, o Options) (TaskStats, error) {
	stats, err := reduceStored(ctx, job, shardIndex, sink, o, func(store *shuffle.Store, runBytes int) error {
		return storeEntries(store, func(do func(key, value []byte) error) error { return DecodeEntries(in, do) }, runBytes)
	})
	return stats.TaskStats, err
}

// reduceStored runs one shard on the entries that fill puts into a store.
func reduceStored(ctx context.Context, job Job, shardIndex int, sink Sink, o Options, fill func(store *shuffle.Store, runBytes int) error) (Stats, error) {
	if err := o.validate(); err != nil {
		return Stats{}, err
	}
	run := newRunner(nil, job, o)
	defer run.store.Close()

	// What one task writes after its last key would appear several times.
	if shardIndex > 0 {
		one, err := job.OneShard(ctx)
		if err != nil {
			return Stats{}, err
		}
		if one {
			return Stats{}, ErrOneShard
		}
	}

	if err := fill(run.store, o.sizes.TableBytes); err != nil {
		return Stats{}, err
	}

	// The output waits in a spool only if a key may be rejected after it has written.
	out := &Output{dir: o.WorkDir, budget: newOutputBudget(0), spools: &spools{}}
	defer out.close()
	if !run.reject.tolerates() {
		out.sink = sink
	}

	err := guard(func() error { return run.reduceShard(ctx, shuffle.All(), shardIndex, out) })
	if err == nil && out.sink == nil {
		err = out.replay(sink)
	}
	return run.stats, err
}

// maxListBytes bounds how many of a key's values storeEntries collects before it adds
// them to a run.
const maxListBytes = 32 << 10

// storeEntries puts the sorted entries that each yields into the store, as runs of some
// runBytes.
func storeEntries(store *shuffle.Store, each func(do func(key, value []byte) error) error, runBytes int) error {
	built := &shuffle.Builder{}
	seq := 0
	var key string
	var values shuffle.List // of key, not yet in built

	// Add the values to the run, and begin another run when it is large enough.
	flush := func() error {
		built.Add(key, &values)
		values.Reset()
		if built.Bytes() < runBytes {
			return nil
		}

		full := built
		built = &shuffle.Builder{}
		seq++
		return store.Put(0, seq-1, full)
	}

	// Collect the values of one key at a time.
	err := each(func(k, v []byte) error {
		if key != string(k) || values.Bytes() > maxListBytes {
			if err := flush(); err != nil {
				return err
			}

			if key > string(k) {
				return fmt.Errorf("%w: the keys are not sorted", ErrStream)
			}
			key = string(k)
		}
		values.Append(v)
		return nil
	})
	if err != nil {
		return err
	}

	// The rest.
	if err := flush(); err != nil {
		return err
	}
	return store.Put(0, seq, built)
}
