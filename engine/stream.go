package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// Tasks as streams of lines: the contract of `tmrun map` and `tmrun reduce`,
// which --isolate and other engines speak.
//
//	map reads    <id> TAB <json>
//	map writes   hex(key) TAB base64(value), combined, sorted by key in runs
//	reduce reads the same, sorted by key, values in input order
//	reduce writes what a Sink writes, or EncodeRows
//
// Hex keeps the order of keys, so that any sort by text will do in between.

// ErrStream is returned (wrapped) for a line that is none of the above.
var ErrStream = errors.New("malformed line in a stream")

// streamBytes is how much of a stream is read or written at once.
const streamBytes = 64 << 10

// MapStream runs one map task on the lines of in and writes entries to out.
func MapStream(ctx context.Context, job Job, t Task, in io.Reader, out io.Writer, o Options) (TaskStats, error) {
	if err := o.validate(); err != nil {
		return TaskStats{}, err
	}
	w := bufio.NewWriterSize(out, streamBytes)
	m := &mapTask{task: t, table: shuffle.NewTable(o.sizes.TableBytes), reject: newRejections(&o)}
	m.store = func(groups []*shuffle.Group) error { return writeEntries(w, groups) }

	err := guard(func() error {
		if err := m.open(ctx, job); err != nil {
			return err
		}
		defer m.mapper.Close()
		return m.run(ctx, &lineBlocks{r: in})
	})

	flushErr := w.Flush()
	if err == nil {
		err = flushErr
	}
	return m.done, err
}

// writeEntries writes the lines of groups.
func writeEntries(w *bufio.Writer, groups []*shuffle.Group) error {
	var line []byte
	for _, g := range groups {
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
			line = EncodeEntry(line[:0], key, value)
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
	if err := o.validate(); err != nil {
		return TaskStats{}, err
	}
	r := newRunner(nil, job, o)
	defer r.store.Close()
	if err := storeEntries(r.store, in, o.sizes.TableBytes); err != nil {
		return TaskStats{}, err
	}

	out := &Output{dir: o.WorkDir, budget: newOutputBudget(0)}
	defer out.close()
	if !r.reject.tolerates() {
		out.sink = sink
	}
	err := guard(func() error { return r.reduceShard(ctx, shuffle.All(), shardIndex, out) })
	if err == nil && out.sink == nil {
		err = out.replay(sink)
	}
	return r.stats.TaskStats, err
}

// maxListBytes bounds how many of a key's values storeEntries collects before it adds
// them to a run.
const maxListBytes = 32 << 10

// storeEntries puts the entries of in into the store, as runs of some runBytes.
func storeEntries(store *shuffle.Store, in io.Reader, runBytes int) error {
	w := &shuffle.Builder{}
	seq := 0
	var key string
	var values shuffle.List // of key, not yet in w

	// Add the values to the run, and begin another run when it is large enough.
	flush := func() error {
		w.Add(key, &values)
		values.Reset()
		if w.Bytes() < runBytes {
			return nil
		}
		full := w
		w = &shuffle.Builder{}
		seq++
		return store.Put(0, seq-1, full)
	}

	err := DecodeEntries(in, func(k, v []byte) error {
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
	if err := flush(); err != nil {
		return err
	}
	return store.Put(0, seq, w)
}
