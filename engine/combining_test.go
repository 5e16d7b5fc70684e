package engine_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// halving emits 1 per line; its combine counts values, so that every
// application shows, and its reduce adds up.
type halving struct{}

func (halving) OneShard(context.Context) (bool, error) { return false, nil }
func (halving) Remote() bool                           { return false }

func (halving) NewMapper(_ context.Context, _ engine.Task, emit engine.Emit) (engine.Mapper, error) {
	return halvingMapper{emit}, nil
}

func (halving) NewReducer(_ context.Context, _ int, out *engine.Output) (engine.Reducer, error) {
	return halvingReducer{out}, nil
}

type halvingMapper struct{ emit engine.Emit }

func (m halvingMapper) Map(*engine.Record, int64) error {
	return m.emit(datum.AppendString(nil, "n"), datum.AppendNumber(nil, 1))
}
func (m halvingMapper) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }
func (m halvingMapper) Combines() bool                    { return true }
func (m halvingMapper) Close()                            {}
func (m halvingMapper) Effects() bool                     { return false }
func (m halvingMapper) Lookups() string                   { return "" }

func (m halvingMapper) Combine(_ []byte, values *engine.Values, put func([]byte)) error {
	put(datum.AppendNumber(nil, float64(values.Len())))
	return nil
}

type halvingReducer struct{ out *engine.Output }

func (r halvingReducer) Close()                            {}
func (r halvingReducer) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }

func (r halvingReducer) Reduce(key []byte, values *engine.Values) error {
	sum := 0.0
	for {
		v, err := values.Next()
		if err != nil {
			return err
		}
		if v == nil {
			return r.out.Row(key, datum.AppendNumber(nil, sum))
		}
		sum += datum.Float(v)
	}
}

func TestCombining(t *testing.T) {
	src := memory.Source{enginetest.Lines("s", "a\t1", "b\t1", "c\t1", "d\t1", "e\t1")}
	plan, err := engine.NewPlan(t.Context(), src, schema.All(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for times, want := range map[int]string{
		0: "n\t5\n", // five ones
		1: "n\t5\n", // counted once
		2: "n\t2\n", // two halves, counted again
		3: "n\t2\n", // one value is not combined further
	} {
		var out bytes.Buffer
		sink := format.NewTSV(&out)
		_, err := engine.Run(t.Context(), src, plan, engine.Combining(halving{}, times), sink, engine.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		sink.Close()
		if out.String() != want {
			t.Errorf("%d times: %q, want %q", times, out.String(), want)
		}
	}
}
