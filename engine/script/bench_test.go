package script_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// benchPings is how many pings the benchmarks read: about 40 MB of records.
const benchPings = 1500

var benchData struct {
	once  sync.Once
	dir   string
	made  string // dir, if it is to go in the end
	bytes int64
	pings int
	line  []byte // a record
	err   error
}

// benchTree returns a data folder of generated, converted, published pings and
// the bytes of its records. It is made once per process; BENCH_DATA names another.
func benchTree(b *testing.B) (*layout.Tree, int64) {
	b.Helper()
	d := &benchData
	d.once.Do(func() {
		if d.dir = os.Getenv("BENCH_DATA"); d.dir != "" {
			d.err = measure(d.dir)
		} else if d.made, d.err = os.MkdirTemp("", "bench-engine-*"); d.err == nil {
			d.dir = d.made
			d.bytes, d.line, d.err = publish(b, d.dir, benchPings)
			d.pings = benchPings
		}
	})

	if d.err != nil {
		b.Fatal(d.err)
	}

	tree, err := layout.OpenTree(d.dir)
	if err != nil {
		b.Fatal(err)
	}

	b.Cleanup(func() { tree.Close() })
	return tree, d.bytes
}

// measure reads a data folder's size, and a record.
func measure(dir string) error {
	tree, err := layout.OpenTree(dir)
	if err != nil {
		return err
	}

	defer tree.Close()
	segs, err := tree.Segments(context.Background(), schema.All())
	if err != nil {
		return err
	}

	d := &benchData
	for _, s := range segs {
		info, err := tree.Info(s)
		if err != nil {
			return err
		}
		d.bytes, d.pings = d.bytes+info.RawBytes, d.pings+int(info.Records)
	}

	r, err := tree.Open(segs[0], 0, -1)
	if err != nil {
		return err
	}

	defer r.Close()
	block, err := r.Next()
	d.line = bytes.Clone(block[:bytes.IndexByte(block, '\n')])
	return err
}

func publish(b *testing.B, dir string, pings int) (size int64, line []byte, err error) {
	cacheDir := filepath.Join(dir, "cache")
	if err := gen.WriteCache(cacheDir); err != nil {
		return 0, nil, err
	}

	ro := revisions.DefaultOptions()
	ro.Dir, ro.Offline = cacheDir, true
	cache, err := revisions.NewCache(ro)
	if err != nil {
		return 0, nil, err
	}

	data, err := layout.OpenData(dir)
	if err != nil {
		return 0, nil, err
	}

	defer data.Close()
	w, err := data.NewWriter("telemetry.log.v4.bench.1.1391385600000", layout.WriterOptions{})
	if err != nil {
		return 0, nil, err
	}

	c := convert.New(cache, convert.Options{})
	g := gen.New(1)
	for i := range pings {
		p := g.Ping(i)
		r, err := c.ConvertJSON(b.Context(), p.JSON, "20140203")
		if err != nil {
			return 0, nil, err
		}
		line = append(append(append(line[:0], p.ID...), '\t'), r.JSON...)
		size += int64(len(line)) + 1
		if err := w.Add(data.Schema().Partition(r.Dims), []byte(p.ID), r.JSON); err != nil {
			return 0, nil, err
		}
	}

	_, err = w.Commit(b.Context())
	return size, line, err
}

// BenchmarkScan reads and splits all segments, no script: the floor.
func BenchmarkScan(b *testing.B) {
	tree, size := benchTree(b)
	src := engine.TreeSource{Tree: tree}
	segs, err := src.Segments(b.Context(), schema.All())
	if err != nil {
		b.Fatal(err)
	}

	b.SetBytes(size)
	b.ReportAllocs()
	defer cpuTime(b, benchData.pings)()
	for b.Loop() {
		lines := 0
		for _, s := range segs {
			r, err := src.Open(s, 0, -1)
			if err != nil {
				b.Fatal(err)
			}
			for {
				next, err := r.NextBlock()
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				for block := next.Lines; len(block) > 0; {
					block = block[bytes.IndexByte(block, '\n')+1:]
					lines++
				}
			}
			r.Close()
		}
		if lines != benchData.pings {
			b.Fatalf("%d lines, want %d", lines, benchData.pings)
		}
	}
}

// idle is a job that does nothing: reading and splitting alone, by the engine.
type idle struct{}

func (idle) NewMapper(context.Context, engine.Task, engine.Emit) (engine.Mapper, error) {
	return idle{}, nil
}

func (idle) NewReducer(context.Context, int, *engine.Output) (engine.Reducer, error) {
	return idle{}, nil
}

func (idle) Map(*engine.Record, int64) error                          { return nil }
func (idle) Combine([]byte, *engine.Values, func(value []byte)) error { return nil }
func (idle) Combines() bool                                           { return false }
func (idle) Reduce([]byte, *engine.Values) error                      { return nil }
func (idle) Finish() (engine.TaskStats, error)                        { return engine.TaskStats{}, nil }
func (idle) Effects() bool                                            { return false }
func (idle) Lookups() string                                          { return "" }
func (idle) OneShard(context.Context) (bool, error)                   { return false, nil }
func (idle) Remote() bool                                             { return false }
func (idle) Close()                                                   {}

// BenchmarkJob runs shipped jobs end to end, and one that does nothing.
func BenchmarkJob(b *testing.B) {
	for _, name := range []string{"idle", "dims_only", "os_distribution", "histogram_sum"} {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", name, workers), func(b *testing.B) {
				tree, size := benchTree(b)
				o := engine.DefaultOptions()
				o.Mappers = workers
				job := engine.Job(idle{})
				if name != "idle" {
					s, err := script.CompileFile("../../scripts/" + name + ".js")
					if err != nil {
						b.Fatal(err)
					}
					job = &script.Job{Script: s, Limits: script.DefaultLimits()}
				}
				src := engine.TreeSource{Tree: tree}
				b.SetBytes(size)
				b.ReportAllocs()
				defer cpuTime(b, benchData.pings)()
				for b.Loop() {
					plan, err := engine.NewPlan(b.Context(), src, schema.All(), nil)
					if err != nil {
						b.Fatal(err)
					}
					sink := format.NewTSV(io.Discard)
					if _, err := engine.Run(b.Context(), src, plan, job, sink, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkMap calls map on one record again and again.
func BenchmarkMap(b *testing.B) {
	for _, bb := range []struct{ name, text string }{
		{"untouched", `export function map(id, dims, ping, ctx) {}`},
		{"emit", `export function map(id, dims, ping, ctx) { ctx.write("k", 1) }`},
		{"field", `export function map(id, dims, ping, ctx) { ping.info.OS }`},
		{"histogram", `export function map(id, dims, ping, ctx) { ping.histograms.GC_MS }`},
		{"parse", `export function map(id, dims, ping, ctx) { JSON.parse(String(ping)).info.OS }`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			benchTree(b)
			s, err := script.Compile("bench.js", bb.text)
			if err != nil {
				b.Fatal(err)
			}
			job := &script.Job{Script: s, Limits: script.DefaultLimits()}
			m, err := job.NewMapper(b.Context(), engine.Task{}, func(k, v []byte) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			b.SetBytes(int64(len(benchData.line)))
			b.ReportAllocs()
			defer cpuTime(b, 1)()
			for b.Loop() {
				if err := m.Map(engine.LineRecord(benchData.line), 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
