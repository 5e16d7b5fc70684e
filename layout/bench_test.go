package layout_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// BenchmarkPublish writes 1,000 records through a Writer, to the disk and back
// out of the raw log's way: MB/s of uncompressed lines.
func BenchmarkPublish(b *testing.B) {
	rs := layouttest.Records(b)
	for _, partitions := range []int{1, 30, 1000} {
		b.Run(fmt.Sprintf("partitions=%d", partitions), func(b *testing.B) {
			d := layouttest.Open(b)
			b.ReportAllocs()
			for b.Loop() {
				w, err := d.NewWriter("log", layout.WriterOptions{})
				if err != nil {
					b.Fatal(err)
				}
				size := int64(0)
				for i := range 1000 {
					r := rs[i%len(rs)]
					r.Partition[schema.BuildID] = fmt.Sprint(i % partitions)
					r.Partition[schema.Channel], r.Partition[schema.Version], r.Partition[schema.Reason], r.Partition[schema.AppName] = "c", "1", "r", "a"
					if err := w.Add(r.Partition, r.ID, r.JSON); err != nil {
						b.Fatal(err)
					}
					size += int64(len(r.ID) + len(r.JSON) + 2)
				}
				b.SetBytes(size)
				if _, err := w.Commit(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead reads a published segment from the page cache, checksums included.
func BenchmarkRead(b *testing.B) {
	d := layouttest.Open(b)
	w, err := d.NewWriter("log", layout.WriterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	rs := layouttest.Records(b)
	for i := range 1000 {
		r := rs[i%len(rs)]
		if err := w.Add(layouttest.Partition, r.ID, r.JSON); err != nil {
			b.Fatal(err)
		}
	}
	pub, err := w.Commit(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	segs, err := d.Tree().Segments(b.Context(), schema.All())
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
	d := layouttest.Open(b)
	json := layouttest.Records(b)[0].JSON[:2000]
	b.SetBytes(1_000_000 * 2038)
	for b.Loop() {
		w, err := d.NewWriter("log", layout.WriterOptions{})
		if err != nil {
			b.Fatal(err)
		}
		p := layouttest.Partition
		for i := range 1_000_000 {
			p[schema.BuildID] = fmt.Sprint(i % 5000)
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
