package main

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestHadoopStreaming: what Hadoop streaming does with the options of docs/CLUSTER.md. Mappers
// run at once, and one of them twice; lines are shared among reducers by the first field, and
// sorted by the first five. Together the reducers write the rows of tmrun.
func TestHadoopStreaming(t *testing.T) {
	data := publishRecords(t, 40, "")
	writeScripts(t)
	names := files(t, data)
	half := len(names) / 2

	for _, script := range []string{"rows.js", "tables.js", "os_distribution"} {
		// Three mappers at once, of which two have the same input.
		var outputs [3]string
		var running sync.WaitGroup
		for i, part := range [][]string{names[half:], names[:half], names[:half]} {
			running.Go(func() {
				lines, said, code := tmrun(strings.Join(part, "\n"), "map", script)
				if code != 0 {
					t.Errorf("map of %s ended with %d: %s", script, code, said)
				}
				outputs[i] = lines
			})
		}
		running.Wait()
		if sorted(outputs[1]) != sorted(outputs[2]) || outputs[1] == "" {
			t.Fatalf("%s: the same task has written other lines, though tasks end in any order", script)
		}

		// A line's key is its first five fields, or all that it has.
		const reducers = 3
		key := func(line string) []string {
			fields := strings.Split(line, "\t")
			return fields[:min(5, len(fields))]
		}
		var shards [reducers][]string
		for line := range strings.Lines(strings.Join(outputs[:], "")) {
			sum := fnv.New32()
			fmt.Fprint(sum, key(line)[0])
			at := sum.Sum32() % reducers
			shards[at] = append(shards[at], line)
		}

		var got []string
		for i, lines := range shards {
			slices.SortFunc(lines, func(a, b string) int {
				return strings.Compare(strings.Join(key(a), "\t"), strings.Join(key(b), "\t"))
			})
			rows, said, code := tmrun(strings.Join(lines, ""), "reduce", "--shard", fmt.Sprint(i), script)
			if code != 0 {
				t.Errorf("reduce of %s ended with %d: %s", script, code, said)
			}
			got = append(got, rows)
		}

		// One reducer has all keys in order; several have theirs.
		want, said, code := tmrun(sorted(outputs[:]...), "reduce", script)
		if code != 0 {
			t.Fatalf("reduce of %s ended with %d: %s", script, code, said)
		}
		if sorted(got...) != sorted(want) || want == "" {
			t.Errorf("%s: %d reducers have written\n%s\nwant\n%s", script, reducers, strings.Join(got, ""), want)
		}
	}
}
