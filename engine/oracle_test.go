package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/enginetest"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// concat is a job whose answer shows every mistake of order: each record `k v`
// emits v under k; combine and reduce join values in the order they get them.
type concat struct{ combine bool }

func (c concat) OneShard(context.Context) (bool, error) { return false, nil }
func (c concat) Remote() bool                           { return false }

func (c concat) NewMapper(_ context.Context, _ engine.Task, emit engine.Emit) (engine.Mapper, error) {
	return &concatMapper{emit: emit, combine: c.combine}, nil
}

func (c concat) NewReducer(_ context.Context, _ int, out *engine.Output) (engine.Reducer, error) {
	return concatReducer{out}, out.Line([]byte("# preamble"))
}

type concatMapper struct {
	emit    engine.Emit
	combine bool
}

func (m *concatMapper) Map(record *engine.Record, _ int64) error {
	line, err := record.Line()
	if err != nil {
		return err
	}
	k, v, ok := bytes.Cut(line, []byte("\t"))
	if !ok {
		return &engine.RejectError{Err: engine.ErrBadLine}
	}
	return m.emit(datum.AppendString(nil, k), datum.AppendString(nil, v))
}

func (m *concatMapper) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }
func (m *concatMapper) Combines() bool                    { return m.combine }
func (m *concatMapper) Close()                            {}
func (m *concatMapper) Effects() bool                     { return false }
func (m *concatMapper) Lookups() string                   { return "" }

func (m *concatMapper) Combine(_ []byte, values *engine.Values, put func([]byte)) error {
	s, err := join(values)
	put(datum.AppendString(nil, s))
	return err
}

type concatReducer struct{ out *engine.Output }

func (r concatReducer) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }
func (r concatReducer) Close()                            {}

func (r concatReducer) Reduce(key []byte, values *engine.Values) error {
	s, err := join(values)
	if err != nil {
		return err
	}
	return r.out.Row(key, datum.AppendString(nil, s))
}

func join(values *engine.Values) (string, error) {
	var b strings.Builder
	for {
		v, err := values.Next()
		if err != nil || v == nil {
			return b.String(), err
		}
		b.Write(datum.Text(v))
	}
}

// sequential is MapReduce in ten lines.
func sequential(segs memory.Source) string {
	groups := map[string][]byte{}
	for _, s := range segs {
		for line := range strings.Lines(strings.Join(s.Frames, "")) {
			k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			groups[k] = append(groups[k], v...)
		}
	}
	var out strings.Builder
	out.WriteString("# preamble\n")
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&out, "%s\t%s\n", k, groups[k])
	}
	return out.String()
}

func runJob(ctx context.Context, src engine.Source, job engine.Job, o engine.Options) (string, engine.Stats, error) {
	plan, err := engine.NewPlan(ctx, src, schema.All(), nil)
	if err != nil {
		return "", engine.Stats{}, err
	}

	var out bytes.Buffer
	sink := format.NewTSV(&out)
	st, err := engine.Run(ctx, src, plan, job, sink, o)
	sink.Close()
	return out.String(), st, err
}

func TestRunEqualsSequential(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var segs memory.Source
		key := rapid.StringMatching(`[a-e]{0,2}`)
		for i := range rapid.IntRange(0, 5).Draw(rt, "segments") {
			s := memory.Segment{Path: fmt.Sprintf("seg%02d", i), Dims: enginetest.Dims}
			for f := range rapid.IntRange(1, 20).Draw(rt, "frames") {
				var b strings.Builder
				for n := range rapid.IntRange(0, 12).Draw(rt, "records") {
					fmt.Fprintf(&b, "%s\t%d.%d.%d;\n", key.Draw(rt, "key"), i, f, n)
				}
				s.Frames = append(s.Frames, b.String())
			}
			segs = append(segs, s)
		}

		o := engine.DefaultOptions()
		o.Mappers = rapid.IntRange(1, 8).Draw(rt, "mappers")
		o.Reducers = rapid.IntRange(1, 8).Draw(rt, "reducers")
		o.Memory = rapid.SampledFrom([]int64{0, 100, 1 << 20}).Draw(rt, "memory")
		o.WorkDir = t.TempDir()
		job := concat{combine: rapid.Bool().Draw(rt, "combine")}

		got, _, err := runJob(t.Context(), segs, job, o)
		if err != nil {
			rt.Fatal(err)
		}
		if want := sequential(segs); got != want {
			rt.Errorf("with %+v:\n got %q\nwant %q", o, got, want)
		}
	})
}

// TestRunSpillsAndShards has more data than a table, a block and a shard hold.
func TestRunSpillsAndShards(t *testing.T) {
	var segs memory.Source
	pad := strings.Repeat("x", 200)
	for i := range 4 {
		s := memory.Segment{Path: fmt.Sprintf("seg%02d", i), Dims: enginetest.Dims}
		for f := range 20 {
			var b strings.Builder
			for n := range 100 {
				fmt.Fprintf(&b, "key%06d\t%s%d.%d.%d;\nhot\t%d.%d.%d;\n", (n*7919+f*104729)%5000, pad, i, f, n, i, f, n)
			}
			s.Frames = append(s.Frames, b.String())
		}
		segs = append(segs, s)
	}

	want := sequential(segs)
	for _, o := range []engine.Options{
		{Mappers: 1, Reducers: 1, Memory: 1 << 30},
		{Mappers: 3, Reducers: 4, Memory: 0},
		{Mappers: 2, Reducers: 2, Memory: 500 << 10},
	} {
		o = o.WithSizes(100<<10, 300<<10, 3)
		o.Log = engine.DefaultOptions().Log
		o.WorkDir = t.TempDir()
		got, st, err := runJob(t.Context(), segs, concat{}, o)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%+v: output differs from the sequential one (%d bytes, want %d)", o, len(got), len(want))
		}
		if o.Memory < 1<<30 && st.Spilled == 0 {
			t.Errorf("%+v: nothing was spilled", o)
		}
	}
}

// damaged is a Source whose segments end in an error.
type damaged struct {
	engine.Source
	err error
}

func (d damaged) Open(seg engine.Segment, lo, hi int) (engine.Blocks, error) {
	blocks, err := d.Source.Open(seg, lo, hi)
	return damagedBlocks{blocks, d.err}, err
}

type damagedBlocks struct {
	engine.Blocks
	err error
}

func (d damagedBlocks) NextBlock() (layout.Block, error) {
	block, err := d.Blocks.NextBlock()
	if err == io.EOF {
		err = d.err
	}
	return block, err
}

func TestRunFails(t *testing.T) {
	broken := errors.New("disk on fire")
	good := enginetest.Lines("a", "k\tv")
	tests := []struct {
		name   string
		src    engine.Source
		change func(*engine.Options)
		want   error
	}{
		{"damaged segment", damaged{memory.Source{good}, broken}, nil, broken},
		{"bad line", memory.Source{enginetest.Lines("a", "no tab")}, nil, engine.ErrBadLine},
		{"output limit", memory.Source{good}, func(o *engine.Options) { o.MaxOutput = 3 }, engine.ErrOutputLimit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := engine.DefaultOptions()
			if tt.change != nil {
				tt.change(&o)
			}
			if _, _, err := runJob(t.Context(), tt.src, concat{}, o); !errors.Is(err, tt.want) {
				t.Errorf("Run = %v, want %v", err, tt.want)
			}
		})
	}

	t.Run("tolerated", func(t *testing.T) {
		o := engine.DefaultOptions()
		o.MaxErrors = 1
		got, st, err := runJob(t.Context(), memory.Source{enginetest.Lines("a", "no tab", "k\tv")}, concat{}, o)
		if err != nil || st.Rejected != 1 || got != "# preamble\nk\tv\n" {
			t.Errorf("Run = %q, %+v, %v", got, st, err)
		}
	})

	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := runJob(ctx, memory.Source{good}, concat{}, engine.DefaultOptions()); !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want context.Canceled", err)
		}
	})

	t.Run("bad options", func(t *testing.T) {
		for _, o := range []engine.Options{{Mappers: 0, Reducers: 1}, {Mappers: 1, Reducers: 0}, {Mappers: 1, Reducers: 1, Memory: -1}} {
			if _, _, err := runJob(t.Context(), memory.Source{good}, concat{}, o); err == nil {
				t.Errorf("Run(%+v) succeeded", o)
			}
		}
	})
}
