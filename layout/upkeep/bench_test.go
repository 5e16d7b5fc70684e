package upkeep

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/layout/segment"
	"github.com/klauspost/compress/zstd"
)

// BenchmarkFrames encodes and decodes frames at the levels of publication and of
// compaction: MB/s of uncompressed lines, on one core, and what is left of them.
func BenchmarkFrames(b *testing.B) {
	var text []byte
	for _, r := range layouttest.Records(b) {
		text = append(append(append(append(text, r.ID...), '\t'), r.JSON...), '\n')
	}
	for _, tt := range []struct {
		name  string
		level zstd.EncoderLevel
		size  int
	}{
		{"publish", zstd.SpeedFastest, segment.FrameBytes},
		{"compact", zstd.SpeedBestCompression, len(text)},
		{"compact with zstd", zstd.SpeedBestCompression, len(text)},
	} {
		enc, err := segment.NewEncoder(tt.level, 4<<20)
		if err != nil {
			b.Fatal(err)
		}
		plain := text[:bytes.LastIndexByte(text[:tt.size], '\n')+1]
		packed := enc.EncodeAll(plain, nil)
		if tt.name == "compact with zstd" {
			program, err := exec.LookPath("zstd")
			if err != nil {
				b.Skip(err)
			}
			packed = (&tool{path: program, limit: toolLimit}).compress(b.Context(), plain)
			b.Logf("%.2f %%size", 100*float64(len(packed))/float64(len(plain)))
			tt.level = 0
		}
		b.Run(tt.name+"/encode", func(b *testing.B) {
			if tt.level == 0 {
				b.Skip("by another program")
			}
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				packed = enc.EncodeAll(plain, packed[:0])
			}
			b.ReportMetric(100*float64(len(packed))/float64(len(plain)), "%size")
		})
		b.Run(tt.name+"/decode", func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				if out, err = segment.Decode(packed, out[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
		enc.Close()
	}
}

// BenchmarkReadObjects reads merged segments from a real S3 server on this machine,
// one after the other, and with the time that a request to another machine takes:
// MB/s of uncompressed lines.
func BenchmarkReadObjects(b *testing.B) {
	b.Run("here", func(b *testing.B) { benchmarkReadObjects(b, 0) })
	b.Run("20 ms away", func(b *testing.B) { benchmarkReadObjects(b, 20*time.Millisecond) })
}

func benchmarkReadObjects(b *testing.B, delay time.Duration) {
	d := layouttest.Open(b)
	var requests atomic.Int64
	url := versityGateway(b, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			time.Sleep(delay)
			next.ServeHTTP(w, r)
		})
	})
	if err := d.PublishTo(url); err != nil {
		b.Fatal(err)
	}
	size := int64(0)
	rs := layouttest.Records(b)
	rnd := rand.New(rand.NewPCG(1, 1))
	for log := range 4 {
		w, err := d.NewWriter(fmt.Sprintf("log.%d", log), layout.WriterOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for i := range 1000 {
			// Random digits, so that the frames are as big as real ones.
			json := fmt.Appendf(nil, `{"x":"%0*x",%s`, 4000, rnd.Uint64(), rs[i%100].JSON[1:])
			for k := 6; k < 4006; k++ {
				json[k] = "0123456789abcdef"[rnd.IntN(16)]
			}
			if err := w.Add(layouttest.Partition, fmt.Appendf(nil, "%d-%d", log, i), json); err != nil {
				b.Fatal(err)
			}
			size += int64(len(json))
		}
		if _, err := w.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := In(d).Compact(b.Context(), CompactOptions{Filter: schema.All()}); err != nil {
		b.Fatal(err)
	}
	segs, err := d.Tree().Segments(b.Context(), schema.All())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	requests.Store(0)
	for b.Loop() {
		for _, s := range segs {
			r, err := d.Tree().Open(s, 0, -1)
			if err != nil {
				b.Fatal(err)
			}
			for err == nil {
				_, err = r.Next()
			}
			if err != io.EOF {
				b.Fatal(err)
			}
			r.Close()
		}
	}
	b.ReportMetric(float64(segs[0].Size)/1e6, "MB-stored")
	b.ReportMetric(float64(requests.Load())/float64(b.N), "requests/op")
}

// BenchmarkStorage publishes b.N records that do not compress as copies of each
// other, in ten raw logs and 36 partitions, and merges them, with and without the
// zstd program; beside that stands what the zstd and xz programs make of one file
// of all records. Run it with -benchtime 20000x; it takes minutes.
func BenchmarkStorage(b *testing.B) {
	const logs = 10
	if b.N < 100 {
		return // the trial run
	}
	d := layouttest.Open(b)
	all, err := os.Create(filepath.Join(b.TempDir(), "all"))
	if err != nil {
		b.Fatal(err)
	}
	defer all.Close()
	out := bufio.NewWriterSize(all, 1<<20)
	next, stop := iter.Pull(layouttest.Varied(b, b.N))
	defer stop()
	start, raw := time.Now(), int64(0)
	for log := range logs {
		w, err := d.NewWriter(fmt.Sprintf("log.%d", log), layout.WriterOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for range b.N/logs + 1 {
			r, ok := next()
			if !ok {
				break
			}
			if err := w.Add(r.Partition, r.ID, r.JSON); err != nil {
				b.Fatal(err)
			}
			n, err := fmt.Fprintf(out, "%s\t%s\n", r.ID, r.JSON)
			if err != nil {
				b.Fatal(err)
			}
			raw += int64(n)
		}
		if _, err := w.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		b.Fatal(err)
	}
	line := func(what string, size int64, since time.Time) {
		fmt.Fprintf(os.Stderr, "%-34s %7.1f MB %5.2f %% %6.1f s\n", what, float64(size)/1e6, 100*float64(size)/float64(raw), time.Since(since).Seconds())
	}
	line("records", raw, start)
	measure := func(what string, d *layout.Data, start time.Time) {
		segs, err := d.Tree().Segments(b.Context(), schema.All())
		if err != nil {
			b.Fatal(err)
		}
		size := int64(0)
		for _, s := range segs {
			size += s.Size
		}
		line(what, size, start)
		fmt.Fprintf(os.Stderr, "%-34s %7.2f GB/s by one goroutine\n", "  read again", decodeAll(b, d, segs))
	}
	measure("published", d, start)
	copied, err := layout.OpenData(filepath.Join(b.TempDir(), "copy"))
	if err != nil {
		b.Fatal(err)
	}
	defer copied.Close()
	if err := os.CopyFS(filepath.Join(copied.Dir(), layout.PublishedDir), os.DirFS(filepath.Join(d.Dir(), layout.PublishedDir))); err != nil {
		b.Fatal(err)
	}
	if _, err := exec.LookPath("zstd"); err == nil {
		start = time.Now()
		if _, err := In(copied).Compact(b.Context(), CompactOptions{Filter: layouttest.Everything(), Now: testNow, Zstd: "zstd"}); err != nil {
			b.Fatal(err)
		}
		measure("merged, by the zstd program", copied, start)
	}
	for _, args := range [][]string{{"zstd", "-9", "--long", "-q", "-c"}, {"xz", "--format=lzma", "-0", "-c"}} {
		if _, err := exec.LookPath(args[0]); err != nil {
			continue
		}
		start = time.Now()
		size := new(counter)
		cmd := exec.CommandContext(b.Context(), args[0], append(args[1:], all.Name())...)
		cmd.Stdout = size
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		line("one file, "+strings.Join(args[:3], " "), int64(*size), start)
	}
	b.Setenv("PATH", "")
	start = time.Now()
	compactAll(b, d, 0)
	measure("merged, without the program", d, start)
	b.ReportMetric(0, "ns/op")
}

// counter is an io.Writer that counts.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// decodeAll reads segments on one core and returns GB/s of uncompressed lines. The
// second time they come out of memory.
func decodeAll(b *testing.B, d *layout.Data, segs []layout.Segment) float64 {
	var best float64
	for range 2 {
		start, size := time.Now(), 0
		for _, s := range segs {
			r, err := d.Tree().Open(s, 0, -1)
			if err != nil {
				b.Fatal(err)
			}
			for {
				block, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				size += len(block)
			}
			r.Close()
		}
		best = max(best, float64(size)/1e9/time.Since(start).Seconds())
	}
	return best
}
