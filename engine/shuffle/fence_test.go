package shuffle

import (
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The tests and benchmarks of this file compare what is written by hand with what the
// standard library does.

// awkwardKeys begin alike, end where others go on, and hold zeros.
func awkwardKeys(start string) []string {
	parts := []string{"", "a", "b", "\x00", "\x00\x00\x00", "same for eight", "\xff", "nightly"}
	keys := map[string]bool{start: true}
	for range 5 {
		longer := map[string]bool{}
		for k := range keys {
			for _, p := range parts {
				longer[k+p] = true
			}
		}
		keys = longer
	}
	return slices.Collect(maps.Keys(keys))
}

// manyKeys are as many keys as a full table has, in random order: hexadecimal numbers
// behind a common beginning.
func manyKeys(n int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("\x06key-%x", random.Uint64())
	}
	return keys
}

// groupsOf returns groups of the keys and what all keys share.
func groupsOf(keys []string) (groups []Group, common int) {
	common = len(keys[0])
	for _, k := range keys {
		common = commonPrefix(keys[0][:common], k)
		groups = append(groups, Group{key: k})
	}
	return groups, common
}

// librarySort is what sorter replaces.
func librarySort(groups []Group) []*Group {
	sorted := make([]*Group, len(groups))
	for i := range groups {
		sorted[i] = &groups[i]
	}
	slices.SortFunc(sorted, func(a, b *Group) int { return strings.Compare(a.key, b.key) })
	return sorted
}

// prefixSort is sorter without digits: eight bytes of each key are compared first.
func prefixSort(groups []Group, common int) []sortEntry {
	entries := make([]sortEntry, len(groups))
	for i := range groups {
		entries[i] = sortEntry{keyPrefix(groups[i].key, common), &groups[i]}
	}
	slices.SortFunc(entries, func(a, b sortEntry) int {
		if c := cmp.Compare(a.prefix, b.prefix); c != 0 {
			return c
		}
		return strings.Compare(a.group.key, b.group.key)
	})
	return entries
}

func TestSort(t *testing.T) {
	for _, start := range []string{"", "a", "same for all keys"} {
		groups, common := groupsOf(awkwardKeys(start))
		var s sorter
		if got, want := s.sort(groups, common), librarySort(groups); !slices.Equal(got, want) {
			t.Errorf("%d keys that begin with %q are in another order", len(want), start)
		}
	}
}

func BenchmarkSort(b *testing.B) {
	groups, common := groupsOf(manyKeys(100_000))
	b.Run("sorter", func(b *testing.B) {
		var s sorter
		for b.Loop() {
			s.sort(groups, common)
		}
	})
	b.Run("prefixes only", func(b *testing.B) {
		for b.Loop() {
			prefixSort(groups, common)
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			librarySort(groups)
		}
	})
}

// libraryTable is what Table replaces.
type libraryTable map[string][][]byte

func (l libraryTable) add(key, value []byte) {
	l[string(key)] = append(l[string(key)], bytes.Clone(value))
}

func TestTable(t *testing.T) {
	table := NewTable(1 << 30)
	for round := range 2 { // the second reuses the memory of the first
		library := libraryTable{}
		random := rand.New(rand.NewPCG(uint64(round), 1))
		for i := range 50_000 {
			key := fmt.Appendf(nil, "key %d", random.IntN(1000*(round+1)))
			value := fmt.Appendf(nil, "%d", i)
			table.Add(key, value)
			library.add(key, value)
		}

		groups := table.Sorted()
		if len(groups) != len(library) {
			t.Fatalf("%d groups, want %d", len(groups), len(library))
		}
		for i, key := range slices.Sorted(maps.Keys(library)) {
			if got := read(t, groups[i].Values()); groups[i].Key() != key || !slices.EqualFunc(got, library[key], bytes.Equal) {
				t.Fatalf("group %d is %q with %q, want %q with %q", i, groups[i].Key(), got, key, library[key])
			}
		}
		table.Reset()
	}
}

// read returns all values.
func read(t *testing.T, values *Values) (all [][]byte) {
	t.Helper()
	for {
		v, err := values.Next()
		if err != nil {
			t.Fatal(err)
		}
		if v == nil {
			return all
		}
		all = append(all, v)
	}
}

func BenchmarkTable(b *testing.B) {
	var keys [][]byte
	for _, k := range manyKeys(100_000) {
		keys = append(keys, []byte(k))
	}
	value := []byte("123456789")

	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		table := NewTable(1 << 30)
		for b.Loop() {
			for _, k := range keys {
				table.Add(k, value)
			}
			table.Reset()
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			library := libraryTable{}
			for _, k := range keys {
				library.add(k, value)
			}
		}
	})
}

// libraryHeap is what tournament replaces.
type libraryHeap []contender

func (h libraryHeap) Len() int           { return len(h) }
func (h libraryHeap) Less(i, j int) bool { return h[i].less(h[j]) }
func (h libraryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *libraryHeap) Push(any)          { panic("runs are not added") }
func (h *libraryHeap) Pop() any          { panic("runs are not removed") }

// contenders returns contenders for runs of some keys each, and how to move one on:
// a run that has ended has a nil key.
func contenders(runs, keys int) (leaves []contender, next func(contender) contender) {
	random := rand.New(rand.NewPCG(3, 4))
	rest := make([][]uint64, runs)
	for i := range rest {
		for range keys {
			rest[i] = append(rest[i], random.Uint64N(uint64(runs*keys)))
		}
		slices.Sort(rest[i])
	}

	next = func(p contender) contender {
		if len(rest[p.order]) == 0 {
			p.key = nil
			p.prefix = 1<<64 - 1
			return p
		}
		p.prefix = rest[p.order][0]
		rest[p.order] = rest[p.order][1:]
		p.key = binary.BigEndian.AppendUint64(p.key[:0], p.prefix)
		return p
	}
	for i := range runs {
		leaves = append(leaves, next(contender{cursor: &cursor{order: i}}))
	}
	return leaves, next
}

func TestTournament(t *testing.T) {
	for _, runs := range []int{1, 2, 3, 7, 64} {
		leaves, next := contenders(runs, 100)
		tree := newTournament(leaves)
		leaves, nextOfHeap := contenders(runs, 100)
		library := libraryHeap(leaves)
		heap.Init(&library)
		for i := range runs*100 + 1 {
			got, want := tree[0], library[0]
			if got.order != want.order || !bytes.Equal(got.key, want.key) {
				t.Fatalf("%d runs: key %d is %x of run %d, want %x of run %d", runs, i, got.key, got.order, want.key, want.order)
			}
			tree.replace(next(got))
			library[0] = nextOfHeap(want)
			heap.Fix(&library, 0)
		}
	}
}

func BenchmarkTournament(b *testing.B) {
	const runs, keys = 64, 2000
	b.Run("tournament", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			leaves, next := contenders(runs, keys)
			b.StartTimer()
			tree := newTournament(leaves)
			for range runs * keys {
				tree.replace(next(tree[0]))
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			leaves, next := contenders(runs, keys)
			b.StartTimer()
			library := libraryHeap(leaves)
			heap.Init(&library)
			for range runs * keys {
				library[0] = next(library[0])
				heap.Fix(&library, 0)
			}
		}
	})
}
