package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// numbered is a Source of records that are made as they are read: segments of
// perSegment lines "<key>\tx", whose keys are record numbers modulo keys, mixed.
type numbered struct{ records, perSegment, keys uint64 }

func (s numbered) Segments(context.Context, schema.Filter) ([]engine.Segment, error) {
	segs := make([]engine.Segment, (s.records+s.perSegment-1)/s.perSegment)
	for i := range segs {
		segs[i].Segment = layout.Segment{Path: fmt.Sprintf("segment%06d", i), Size: 1}
	}
	return segs, nil
}

func (s numbered) Open(seg engine.Segment, _, _ int) (engine.Blocks, error) {
	i, err := strconv.ParseUint(seg.Path[len("segment"):], 10, 64)
	return &numberedBlocks{s: s, next: i * s.perSegment, end: min((i+1)*s.perSegment, s.records)}, err
}

// Fingerprint implements engine.Source: nothing of it is cached.
func (numbered) Fingerprint(engine.Segment) ([sha256.Size]byte, error) {
	return [sha256.Size]byte{}, errors.New("made as it is read")
}

type numberedBlocks struct {
	s         numbered
	next, end uint64
	buf       []byte
}

func (b *numberedBlocks) NextBlock() (layout.Block, error) {
	if b.next == b.end {
		return layout.Block{}, io.EOF
	}
	b.buf = b.buf[:0]
	for ; b.next < b.end && len(b.buf) < 1<<20; b.next++ {
		key := b.next % b.s.keys * 0x9e3779b97f4a7c15 // spread, each number another
		b.buf = append(strconv.AppendUint(append(b.buf, "key-"...), key, 16), "\tx\n"...)
	}
	return layout.Block{Lines: b.buf}, nil
}

func (b *numberedBlocks) Close() error { return nil }

// tally counts records by ID.
type tally struct{}

func (tally) OneShard(context.Context) (bool, error) { return false, nil }
func (tally) Remote() bool                           { return false }

func (tally) NewMapper(_ context.Context, _ engine.Task, emit engine.Emit) (engine.Mapper, error) {
	return &tallyMapper{emit: emit, one: datum.AppendNumber(nil, 1)}, nil
}

func (tally) NewReducer(_ context.Context, _ int, out *engine.Output) (engine.Reducer, error) {
	return tallyReducer{out}, nil
}

type tallyMapper struct {
	emit     engine.Emit
	key, one []byte
}

func (m *tallyMapper) Map(record *engine.Record, _ int64) error {
	line, err := record.Line()
	if err != nil {
		return err
	}
	id, _, _ := bytes.Cut(line, []byte("\t"))
	m.key = datum.AppendString(m.key[:0], id)
	return m.emit(m.key, m.one)
}

func (m *tallyMapper) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }
func (m *tallyMapper) Combines() bool                    { return true }
func (m *tallyMapper) Close()                            {}
func (m *tallyMapper) Effects() bool                     { return false }
func (m *tallyMapper) Lookups() string                   { return "" }

func (m *tallyMapper) Combine(_ []byte, values *engine.Values, put func([]byte)) error {
	n, err := total(values)
	put(datum.AppendNumber(nil, n))
	return err
}

type tallyReducer struct{ out *engine.Output }

func (r tallyReducer) Finish() (engine.TaskStats, error) { return engine.TaskStats{}, nil }
func (r tallyReducer) Close()                            {}

func (r tallyReducer) Reduce(key []byte, values *engine.Values) error {
	n, err := total(values)
	if err != nil {
		return err
	}
	return r.out.Row(key, datum.AppendNumber(nil, n))
}

func total(values *engine.Values) (n float64, err error) {
	for {
		v, err := values.Next()
		if err != nil || v == nil {
			return n, err
		}
		n += datum.Float(v)
	}
}

// BenchmarkGrowth runs a job over some data and over ten times as much, in turn, and
// reports how many times the time that takes, by the clock and of the processor, in
// the median of five turns: "few keys" combine in the map tasks, "a key each" go
// through sorted runs on the disk.
func BenchmarkGrowth(b *testing.B) {
	for _, bb := range []struct {
		name    string
		records uint64 // and ten times as many
		keys    func(records uint64) uint64
	}{
		{"few keys", 2_000_000, func(uint64) uint64 { return 1000 }},
		{"a key each", 1_000_000, func(n uint64) uint64 { return n }},
		{"ten records a key", 1_000_000, func(n uint64) uint64 { return n / 10 }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				var cpu, wall [2][]float64 // of some data, and of ten times as much
				for range 5 {
					for i, n := range []uint64{bb.records, 10 * bb.records} {
						src := numbered{records: n, perSegment: 100_000, keys: bb.keys(n)}
						cpuTaken, wallTaken := timeTally(b, src)
						cpu[i] = append(cpu[i], cpuTaken)
						wall[i] = append(wall[i], wallTaken)
					}
				}

				b.ReportMetric(median(cpu[1])/median(cpu[0]), "times-the-cpu")
				b.ReportMetric(median(wall[1])/median(wall[0]), "times-the-time")
				b.ReportMetric(median(cpu[1])/float64(10*bb.records), "cpu-ns/record")
			}
		})
	}
}

// timeTally runs a job over src and returns what it takes, in ns.
func timeTally(b *testing.B, src numbered) (cpu, wall float64) {
	b.Helper()
	runtime.GC()
	used := cpuTime(b)
	start := time.Now()
	stats, err := tallyInto(b.Context(), src, io.Discard)
	if err != nil {
		b.Fatal(err)
	}

	if stats.Rows != int64(src.keys) {
		b.Fatalf("%d rows, want %d", stats.Rows, src.keys)
	}
	b.ReportMetric(float64(stats.Spilled)/1e6, "MB-spilled")
	return float64(cpuTime(b) - used), float64(time.Since(start))
}

// BenchmarkKeys runs jobs whose keys meet in different ways, for comparisons of two
// programs in turn: the processor time of a record is what counts.
func BenchmarkKeys(b *testing.B) {
	for _, bb := range []struct {
		name                      string
		records, keys, perSegment uint64
	}{
		{"few keys", 6_000_000, 1000, 100_000},
		{"a key each", 3_000_000, 3_000_000, 100_000},
		{"a key each, small tasks", 2_000_000, 2_000_000, 2_000},
		{"ten records a key", 3_000_000, 300_000, 100_000},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			var cpu float64
			for b.Loop() {
				taken, _ := timeTally(b, numbered{records: bb.records, perSegment: bb.perSegment, keys: bb.keys})
				cpu += taken
			}
			b.ReportMetric(cpu/float64(b.N)/float64(bb.records), "cpu-ns/record")
		})
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func tallyInto(ctx context.Context, src engine.Source, w io.Writer) (engine.Stats, error) {
	plan, err := engine.NewPlan(ctx, src, schema.All(), nil)
	if err != nil {
		return engine.Stats{}, err
	}

	o := engine.DefaultOptions()
	o.Memory = 16 << 20
	sink := format.NewTSV(w)
	stats, err := engine.Run(ctx, src, plan, tally{}, sink, o)
	if err == nil {
		err = sink.Close()
	}
	return stats, err
}

// cpuTime returns what this process has used, in ns: the wall clock of a busy
// machine says nothing.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
