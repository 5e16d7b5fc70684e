package upkeep

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
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
			tool, err := exec.LookPath("zstd")
			if err != nil {
				b.Skip(err)
			}
			packed = toolEncode(b.Context(), tool, plain)
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
// one after the other: MB/s of uncompressed lines.
func BenchmarkReadObjects(b *testing.B) {
	d := layouttest.Open(b)
	url := versityGateway(b)
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
	b.Setenv("PATH", "") // no zstd program: quicker
	if _, err := In(d).Compact(b.Context(), CompactOptions{Filter: layout.All()}); err != nil {
		b.Fatal(err)
	}
	segs, err := d.Tree().Segments(b.Context(), layout.All())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
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
}
