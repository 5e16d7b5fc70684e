package shuffle

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// inOrder is what Compact gets where nothing runs at the same time.
func inOrder(n int, do func(i int) error) error {
	for i := range n {
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

// TestStoreEqualsMap: whatever the sizes are and wherever runs lie, each key comes
// once, in order, with its values in the order of the tasks.
func TestStoreEqualsMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := Sizes{
			TableBytes: rapid.SampledFrom([]int{300, 5000, 1 << 20}).Draw(rt, "table"),
			ShardBytes: rapid.SampledFrom([]int64{100, 3000, 1 << 20}).Draw(rt, "shard"),
			MaxRuns:    rapid.SampledFrom([]int{1, 2, 5, 1000}).Draw(rt, "runs"),
			HeldBytes:  rapid.SampledFrom([]int{0, 200, 1 << 20}).Draw(rt, "held"),
		}
		memory := rapid.SampledFrom([]int64{0, 2000, 1 << 30}).Draw(rt, "memory")
		store := NewStore(Options{Memory: memory, Dir: t.TempDir(), Sizes: sizes})
		defer store.Close()

		// Tasks end in any order; want is in their order.
		library := libraryTable{}
		tasks := rapid.IntRange(0, 6).Draw(rt, "tasks")
		order := rapid.Permutation(upTo(tasks)).Draw(rt, "order")
		emitted := make([][]string, tasks)
		for task := range tasks {
			emitted[task] = rapid.SliceOfN(rapid.StringMatching(`[ab]{0,3}`), 0, 60).Draw(rt, "keys")
			for i, key := range emitted[task] {
				library.add([]byte(key), value(task, i))
			}
		}
		for _, task := range order {
			putTask(rt, store, task, emitted[task])
		}

		if err := store.Compact(inOrder); err != nil {
			rt.Fatal(err)
		}
		if n := len(store.runs); n > sizes.MaxRuns {
			rt.Errorf("%d runs after Compact, want at most %d", n, sizes.MaxRuns)
		}
		checkShards(rt, store, library)
	})
}

// upTo returns 0..n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// value is what task emits i-th; some values are larger than a block.
func value(task, i int) []byte {
	v := fmt.Sprintf("%d.%d;", task, i)
	if i%50 == 49 {
		v += strings.Repeat("x", blockBytes+1)
	}
	return []byte(v)
}

// putTask puts what a task emits into the store.
func putTask(t *rapid.T, store *Store, task int, keys []string) {
	table := NewTable(store.o.Sizes.TableBytes)
	seq := 0
	flush := func() {
		w := store.NewBuilder()
		w.AddGroups(table.Sorted())
		if err := store.Put(task, seq, w); err != nil {
			t.Fatal(err)
		}
		seq++
		table.Reset()
	}

	for i, key := range keys {
		table.Add([]byte(key), value(task, i))
		if table.Full() {
			flush()
		}
	}
	flush()
}

// checkShards compares what the shards hold, one after the other, with want.
func checkShards(t *rapid.T, store *Store, want libraryTable) {
	last := ""
	found := 0
	for _, shard := range store.Shards() {
		merger, err := store.Merge(shard)
		if err != nil {
			t.Fatal(err)
		}
		for {
			key, values, err := merger.Next()
			if err != nil {
				t.Fatal(err)
			}
			if values == nil {
				break
			}
			if found > 0 && string(key) <= last {
				t.Fatalf("key %q comes after %q", key, last)
			}
			last = string(key)
			found++

			// Twice, because reading may have to load blocks again.
			for range 2 {
				var got [][]byte
				for v, err := values.Next(); v != nil || err != nil; v, err = values.Next() {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, bytes.Clone(v))
				}
				if values.Len() != len(got) || !slices.EqualFunc(got, want[last], bytes.Equal) {
					t.Fatalf("key %q has %d values, %q, want %q", key, values.Len(), got, want[last])
				}
				values.Rewind()
			}
		}
	}
	if found != len(want) {
		t.Errorf("%d keys, want %d", found, len(want))
	}
}

// FuzzDecodeRuns: runs that were encoded are decoded; other bytes are an error or
// runs, never a panic.
func FuzzDecodeRuns(f *testing.F) {
	w := &Builder{}
	var values List
	values.Append([]byte("a value"))
	values.Append(nil)
	w.Add("a key", &values)
	f.Add(AppendRuns(nil, []*Builder{w, {}}))
	f.Add(AppendRuns(nil, nil))
	f.Add([]byte{1, 1, 200})

	f.Fuzz(func(t *testing.T, b []byte) {
		runs, err := DecodeRuns(b)
		if err != nil {
			return
		}
		again, err := DecodeRuns(AppendRuns(nil, runs))
		if err != nil || len(again) != len(runs) {
			t.Fatalf("%d runs became %d: %v", len(runs), len(again), err)
		}
		for i := range runs {
			if !bytes.Equal(again[i].buf, runs[i].buf) || !slices.Equal(again[i].blocks, runs[i].blocks) {
				t.Errorf("run %d changed", i)
			}
		}
	})
}
