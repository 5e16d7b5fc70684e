package dedup

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// testKey returns a key that is a hash of n.
func testKey(n int) key { return keyOf(binary.BigEndian.AppendUint64(nil, uint64(n)), nil) }

// TestClaims compares claims, in memory and in a file, with a list.
func TestClaims(t *testing.T) {
	for _, maximum := range []int{1, 7, 300, 100_000} {
		t.Run(fmt.Sprint(maximum), func(t *testing.T) {
			root := testRoot(t)
			c := newClaims(root, "claims", maximum)
			random := rand.New(rand.NewPCG(1, uint64(maximum)))

			var want []claim
			days := map[key][]uint32{}
			for range 3000 {
				k, day := testKey(random.IntN(2000)), 20260900+random.Uint32N(30)
				first, last := day-3, day+3
				expected := slices.ContainsFunc(days[k], func(d uint32) bool { return first <= d && d <= last })
				found, err := c.has(k, first, last)
				if err != nil || found != expected {
					t.Fatalf("claim %x of %d: found %v, %v", k, day, found, err)
				}
				if found {
					continue
				}

				if err := c.add(k, day); err != nil {
					t.Fatal(err)
				}
				days[k] = append(days[k], day)
				want = append(want, claim{k, day})
			}

			slices.SortFunc(want, func(a, b claim) int { return a.compare(&b) })
			var got []claim
			for one, err := range c.all() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, one)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d claims, want %d", len(got), len(want))
			}

			// Nothing is left of the file, now and after a crash.
			if names, err := fs.Glob(root.FS(), "*"); err != nil || len(names) > 0 {
				t.Errorf("files %q, %v", names, err)
			}
			if err := c.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRecordMany follows more submissions than fit into memory, of two raw logs at the
// same time and of a later one, through the index.
func TestRecordMany(t *testing.T) {
	index := testRepeats(testRoot(t), 3)
	index.maxClaims = 1000
	received := time.Date(2013, 9, 10, 1, 0, 0, 0, time.UTC)

	recorder := func(name string) *Recorder {
		t.Helper()
		opened, err := index.Recorder(name)
		if err != nil {
			t.Fatal(err)
		}
		return opened
	}
	repeats := func(r *Recorder, from, to int) (count int) {
		t.Helper()
		for i := from; i < to; i++ {
			repeated, err := r.Repeated(fmt.Append(nil, i), []byte("body"), received.AddDate(0, 0, i%2))
			if err != nil {
				t.Fatal(err)
			}
			if repeated {
				count++
			}
		}
		return count
	}

	one, two := recorder("one"), recorder("two")
	if n := repeats(one, 0, 5500); n != 0 {
		t.Errorf("%d repeats in the first", n)
	}
	if n := repeats(one, 100, 200); n != 100 {
		t.Errorf("%d of 100 repeats in the same", n)
	}
	if n := repeats(two, 5000, 9000); n != 500 {
		t.Errorf("%d of 500 repeats in another at the same time", n)
	}
	for _, r := range []*Recorder{one, two} {
		if err := r.Record(); err != nil {
			t.Fatal(err)
		}
	}
	if err := two.Undo(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Recorder{one, two} {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}

	later := recorder("later")
	defer later.Close()
	if n := repeats(later, 0, 9000); n != 5500 {
		t.Errorf("%d of 5500 repeats later", n)
	}
}

// TestClaimsInBoundedMemory: a million claims need a few bytes each.
func TestClaimsInBoundedMemory(t *testing.T) {
	c := newClaims(testRoot(t), "claims", 1<<14)
	defer c.close()

	const count = 1 << 20
	before := heapBytes()
	for i := range count {
		if err := c.add(testKey(i), 20260901); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heapBytes() - before; grown > 4<<20 {
		t.Errorf("%d bytes in memory for %d claims", grown, count)
	}
	if found, err := c.has(testKey(5), 20260901, 20260901); !found || err != nil {
		t.Errorf("a claim is not found: %v", err)
	}
}

// heapBytes returns how much memory is in use after a collection.
func heapBytes() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
