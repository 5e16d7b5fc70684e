package tables

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDirectHistograms: histograms that are added as text give the partial results that
// their numbers give, also where records are rejected.
func TestDirectHistograms(t *testing.T) {
	set := Set{{Name: "t", Kind: "histograms", Keys: []string{"key"}}}
	if err := set[0].Complete(); err != nil {
		t.Fatal(err)
	}

	rapid.Check(t, func(t *rapid.T) {
		const buckets = 12
		sums := rapid.IntRange(0, Tail).Draw(t, "sums")
		emitted := []map[string]string{{}, {}}
		var tasks []*Task
		for i := range emitted {
			tasks = append(tasks, NewTask(set, func(key, value []byte) error {
				emitted[i][string(key)] = string(value)
				return nil
			}))
		}

		for range rapid.IntRange(1, 12).Draw(t, "records") {
			rejected := rapid.Bool().Draw(t, "rejected")
			for range rapid.IntRange(1, 4).Draw(t, "histograms") {
				numbers, text := drawText(t, buckets, sums)
				key := CloseKey(append(AppendKey(nil, 0), drawDatum(t)...))
				partial, err := AppendHistogram(nil, numbers, buckets)
				if err != nil {
					t.Fatal(err)
				}

				// Counts of many digits are not added directly.
				end, ok := tasks[0].AddHistogramText(tasks[0].Group(0, key), []byte(text+"],7]"), buckets, buckets+sums)
				if ok && end != len(text) {
					t.Fatalf("%s ends at %d", text, end)
				}
				if !ok {
					tasks[0].Add(0, key, partial)
				}
				if !rejected {
					tasks[1].Add(0, key, partial)
				}
			}

			if rejected {
				tasks[0].Rollback()
			}
			for _, task := range tasks {
				if err := task.Commit(); err != nil {
					t.Fatal(err)
				}
			}
		}

		for _, task := range tasks {
			if err := task.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if !maps.Equal(emitted[0], emitted[1]) {
			t.Fatalf("as text: %q, as numbers: %q", emitted[0], emitted[1])
		}
	})
}

// drawText draws a histogram and its text behind the bracket.
func drawText(t *rapid.T, buckets, sums int) (numbers []float64, text string) {
	for range buckets {
		count := rapid.SampledFrom([]int{0, 0, 0, 0, 1, 127, 128, 300, 1 << 40}).Draw(t, "count")
		numbers = append(numbers, float64(count))
	}
	for range sums {
		sum := rapid.SampledFrom([]float64{-1, 0, 7, 1.5, 0.1, 873.474196434021, 0.30000000000000004, 1e21, 123456789012345680, -0.5}).Draw(t, "sum")
		numbers = append(numbers, sum)
	}

	var texts []string
	for _, number := range numbers {
		texts = append(texts, strconv.FormatFloat(number, 'g', -1, 64))
	}
	for i := range buckets {
		texts[i] = fmt.Sprint(int(numbers[i]))
	}
	return numbers, strings.Join(texts, ",")
}

// TestTextThatIsNotPlain: it is not taken, and changes nothing.
func TestTextThatIsNotPlain(t *testing.T) {
	set := Set{{Name: "t", Kind: "histograms", Keys: []string{"key"}}}
	if err := set[0].Complete(); err != nil {
		t.Fatal(err)
	}
	task := NewTask(set, func(key, value []byte) error { return fmt.Errorf("emitted %q", value) })
	group := task.Group(0, CloseKey(AppendKey(nil, 0)))

	for _, text := range []string{"", "]", "1]", "1,2,3,4]", "1,2,]", "1,,2]", "1, 2,3]", "1.5,2,3]", "-1,2,3]", "1,2,null]", "1,2,inf]",
		`1,2,"3"]`, "1,[2],3]", "1234567890,2,3]", "1,2,3", "1,2,3,", "1,2,1e999]", "1,2,0x1p-2]", "1,2,1_0]"} {
		if end, ok := task.AddHistogramText(group, []byte(text), 2, 3); ok {
			t.Errorf("%q was taken up to %d", text, end)
		}
	}
	if counts := task.groups[group].total.(*histogram).counts; !slices.Equal(counts, []uint64{0, 0}) {
		t.Errorf("counts %v", counts)
	}
	if err := task.Flush(); err != nil {
		t.Error(err)
	}
}
