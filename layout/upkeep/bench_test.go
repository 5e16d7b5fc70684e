package upkeep

import (
	"bytes"
	"os/exec"
	"testing"

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
