package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// lawRounds is how many random orders and splits a test case is tried with.
const lawRounds = 4

// tolerance is by how much numbers may differ, relative to their size: sums of
// fractions depend on their order.
const tolerance = 1e-9

// law is one way to run a job that must not change its output.
type law struct {
	name     string
	shuffled bool // the records come in another order
	run      func(ctx context.Context) ([]any, error)
}

// laws returns the ways to run a case: other splits into segments, numbers of
// workers and applications of combine, and another order of the records. Their
// random choices are the same in every run of tmrun.
func laws(job engine.Job, tc script.TestCase) []law {
	// Where segments begin must not matter: each record alone, then at random.
	all := []law{
		{"each record a segment of its own", false, func(ctx context.Context) ([]any, error) {
			return runCase(ctx, job, segments(tc.Records, func() bool { return true }), 1, 1)
		}},
	}

	for i := range lawRounds {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		workers := i + 1
		name := fmt.Sprintf("split at random, with %d mappers and reducers", workers)
		all = append(all, law{name, false, func(ctx context.Context) ([]any, error) {
			split := segments(tc.Records, func() bool { return rng.IntN(2) == 0 })
			return runCase(ctx, job, split, workers, workers)
		}})
	}

	// The engine may combine as often as it likes.
	for _, combines := range []struct {
		times int
		name  string
	}{
		{0, "combine never applied"},
		{2, "combine applied twice"},
		{3, "combine applied many times"},
	} {
		all = append(all, law{combines.name, false, func(ctx context.Context) ([]any, error) {
			return runCase(ctx, engine.Combining(job, combines.times), oneSegment(tc.Records), 1, 1)
		}})
	}

	// The order of the input may matter to a case that says so.
	if tc.Ordered {
		return all
	}
	for i := range lawRounds {
		rng := rand.New(rand.NewPCG(2, uint64(i)))
		all = append(all, law{"records in another order", true, func(ctx context.Context) ([]any, error) {
			shuffled := slices.Clone(tc.Records)
			rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			split := segments(shuffled, func() bool { return rng.IntN(3) == 0 })
			return runCase(ctx, job, split, 2, 2)
		}})
	}
	return all
}

// segments puts the records into segments, a new one wherever the dimensions
// change or cut says so, which is called for each record but the first with the
// same dimensions. The order of the records stays.
func segments(records []script.TestRecord, cut func() bool) memory.Source {
	var src memory.Source
	for i, r := range records {
		// A segment has one combination of dimension values.
		if i == 0 || r.Dims != records[i-1].Dims || cut() {
			src = append(src, memory.Segment{Path: fmt.Sprintf("segment%06d", len(src)), Dims: r.Dims, Frames: []string{""}})
		}
		src[len(src)-1].Frames[0] += r.ID + "\t" + string(r.JSON) + "\n"
	}
	return src
}

// oneSegment puts the records into as few segments as possible.
func oneSegment(records []script.TestRecord) memory.Source {
	return segments(records, func() bool { return false })
}

// runCase returns the rows that the job writes, as JSON values.
func runCase(ctx context.Context, job engine.Job, src memory.Source, mappers, reducers int) ([]any, error) {
	var rows rowSink
	err := runInto(ctx, job, src, mappers, reducers, &rows)
	return rows.rows, err
}

// runInto runs the job over src and closes sink.
func runInto(ctx context.Context, job engine.Job, src memory.Source, mappers, reducers int, sink engine.Sink) error {
	// The plan has every segment: a case has no filter.
	plan, err := engine.NewPlan(ctx, src, schema.All(), nil)
	if err != nil {
		return err
	}

	o := engine.DefaultOptions()
	o.Mappers = mappers
	o.Reducers = reducers
	_, err = engine.Run(ctx, src, plan, job, sink, o)
	return errors.Join(err, sink.Close())
}

// rowSink collects rows as JSON values: arrays of cells, and strings of lines.
type rowSink struct{ rows []any }

var _ engine.Sink = (*rowSink)(nil)

// Row implements engine.Sink.
func (s *rowSink) Row(key, value []byte) error {
	// The elements of an array key are columns of their own, as in every format.
	var cells []any
	if len(key) > 0 && datum.Kind(key[0]) == datum.Array {
		for e := range datum.Elements(key) {
			cells = append(cells, jsonOf(e))
		}
	} else {
		cells = append(cells, jsonOf(key))
	}

	s.rows = append(s.rows, append(cells, jsonOf(value)))
	return nil
}

// Record implements engine.Sink.
func (s *rowSink) Record(array []byte) error {
	s.rows = append(s.rows, jsonOf(array))
	return nil
}

// CSVRecord implements engine.Sink.
func (s *rowSink) CSVRecord(array []byte) error { return s.Record(array) }

// Line implements engine.Sink.
func (s *rowSink) Line(text []byte) error {
	s.rows = append(s.rows, string(text))
	return nil
}

// EndPreamble implements engine.Sink.
func (s *rowSink) EndPreamble() error { return nil }

// Separators implements engine.Sink.
func (s *rowSink) Separators(string, string) error { return nil }

// Close implements engine.Sink.
func (s *rowSink) Close() error { return nil }

// jsonOf returns a datum as a JSON value.
func jsonOf(d []byte) any { return parseJSON(datum.AppendJSON(nil, d)) }

// parseJSON returns the value of a text that is known to be JSON.
func parseJSON(b []byte) (v any) {
	_ = json.Unmarshal(b, &v)
	return v
}

// differ describes the first row in which two outputs differ, "" if they do not.
func differ(got, want []any, anyOrder bool) string {
	if anyOrder {
		got = sortedRows(got)
		want = sortedRows(want)
	}

	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("row %d is missing: %s", i+1, text(want[i]))
		case i >= len(want):
			return fmt.Sprintf("row %d is too much: %s", i+1, text(got[i]))
		case !same(got[i], want[i]):
			return fmt.Sprintf("row %d: got %s, want %s", i+1, text(got[i]), text(want[i]))
		}
	}
	return ""
}

// sortedRows returns the rows in the order of their texts.
func sortedRows(rows []any) []any {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b any) int { return cmp.Compare(text(a), text(b)) })
	return rows
}

// same compares JSON values: numbers with tolerance, objects in any order.
func same(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && (a == b || math.Abs(a-b) <= tolerance*max(math.Abs(a), math.Abs(b)))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, same)
	}
	return a == b
}

// text is a JSON value as text.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
