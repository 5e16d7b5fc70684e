package layout

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// benchRecord is a converted ping, and where it belongs.
type benchRecord struct {
	p        Dims
	id, json []byte
}

// benchRecords returns the 100 converted pings of the shared data.
func benchRecords(t testing.TB) []benchRecord {
	t.Helper()
	f, err := os.Open(filepath.Join(sharedData(t, "raw"), "100-realistic-pings.expected.tsv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var rs []benchRecord
	for l := range bytes.Lines(text) {
		p := bytes.SplitN(bytes.TrimSuffix(l, []byte("\n")), []byte("\t"), 3)
		rs = append(rs, benchRecord{DefaultSchema().Partition(dims(string(p[1]))), p[0], p[2]})
	}
	return rs
}

// BenchmarkPublish writes 1,000 records through a Writer, to the disk and back
// out of the raw log's way: MB/s of uncompressed lines.
func BenchmarkPublish(b *testing.B) {
	rs := benchRecords(b)
	for _, partitions := range []int{1, 30, 1000} {
		b.Run(fmt.Sprintf("partitions=%d", partitions), func(b *testing.B) {
			d := openData(b)
			b.ReportAllocs()
			for b.Loop() {
				w, err := d.NewWriter("log", WriterOptions{})
				if err != nil {
					b.Fatal(err)
				}
				size := int64(0)
				for i := range 1000 {
					r := rs[i%len(rs)]
					r.p[BuildID] = fmt.Sprint(i % partitions)
					r.p[Channel], r.p[Version], r.p[Reason], r.p[AppName] = "c", "1", "r", "a"
					if err := w.Add(r.p, r.id, r.json); err != nil {
						b.Fatal(err)
					}
					size += int64(len(r.id) + len(r.json) + 2)
				}
				b.SetBytes(size)
				if _, err := w.Commit(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFrames encodes and decodes frames at the levels of publication and of
// compaction: MB/s of uncompressed lines, on one core, and what is left of them.
func BenchmarkFrames(b *testing.B) {
	var text []byte
	for _, r := range benchRecords(b) {
		text = append(append(append(append(text, r.id...), '\t'), r.json...), '\n')
	}
	for _, tt := range []struct {
		name  string
		level zstd.EncoderLevel
		size  int
	}{
		{"publish", zstd.SpeedFastest, frameBytes},
		{"compact", zstd.SpeedBestCompression, len(text)},
		{"compact with zstd", zstd.SpeedBestCompression, len(text)},
	} {
		enc, err := newEncoder(tt.level, 4<<20)
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
				if out, err = decoder.DecodeAll(packed, out[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
		enc.Close()
	}
}

// BenchmarkRead reads a published segment from the page cache, checksums included.
func BenchmarkRead(b *testing.B) {
	d := openData(b)
	w, err := d.NewWriter("log", WriterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	rs := benchRecords(b)
	for i := range 1000 {
		r := rs[i%len(rs)]
		if err := w.Add(testDims, r.id, r.json); err != nil {
			b.Fatal(err)
		}
	}
	pub, err := w.Commit(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	segs, err := d.Tree().Segments(b.Context(), All())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(pub[0].RawBytes)
	b.ReportAllocs()
	for b.Loop() {
		r, err := d.Tree().Open(segs[0], 0, -1)
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	}
}

// BenchmarkManyPartitions publishes 1,000,000 records of 2 kB over 5,000
// partitions, in an order that meets them all in turn, and reports the peak
// resident memory of the process. Run it with -benchtime 1x.
func BenchmarkManyPartitions(b *testing.B) {
	d := openData(b)
	json := benchRecords(b)[0].json[:2000]
	b.SetBytes(1_000_000 * 2038)
	for b.Loop() {
		w, err := d.NewWriter("log", WriterOptions{})
		if err != nil {
			b.Fatal(err)
		}
		p := testDims
		for i := range 1_000_000 {
			p[BuildID] = fmt.Sprint(i % 5000)
			if err := w.Add(p, fmt.Appendf(nil, "%08x-0000-4000-8000-000000000000", i), json); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		var kB float64
		_, peak, _ := bytes.Cut(status, []byte("VmHWM:"))
		fmt.Sscan(string(peak), &kB)
		b.ReportMetric(kB/1024, "MiB-peak")
	}
}
