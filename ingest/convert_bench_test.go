package ingest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
)

// realistic returns the 100 generated submissions and their bodies, unpacked.
func realistic(b *testing.B) (subs []Submission, texts [][]byte, bytes int64) {
	subs = submissionsOf(b, shared(b, "raw/telemetry.log.v1.100-realistic-pings"), 1)
	var u unpacker
	for _, s := range subs {
		text, err := u.unpack(s.Body, 1<<24)
		if err != nil {
			b.Fatal(err)
		}
		texts = append(texts, append([]byte(nil), text...))
		bytes += int64(len(text))
	}
	return subs, texts, bytes
}

// perCore reports MB per second of processor time, which other programs on the
// machine disturb less than time on the wall. Call the result at the end.
func perCore(b *testing.B, bytes int64) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	before := used()
	return func() { b.ReportMetric(float64(bytes)*float64(b.N)/1e6/(used()-before).Seconds(), "MB/core-s") }
}

// BenchmarkConvert converts 100 pings of 37 kB, in MB of raw JSON per second.
func BenchmarkConvert(b *testing.B) {
	subs, texts, bytes := realistic(b)
	c := NewConverter(sharedCache(b), DefaultConverterOptions())
	b.Run("json", func(b *testing.B) {
		defer perCore(b, bytes)()
		for b.Loop() {
			for _, text := range texts {
				if _, err := c.ConvertJSON(b.Context(), text, "20130910"); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("unpack", func(b *testing.B) {
		var u unpacker
		defer perCore(b, bytes)()
		for b.Loop() {
			for _, s := range subs {
				if _, err := u.unpack(s.Body, 1<<24); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("gzip", func(b *testing.B) {
		defer perCore(b, bytes)()
		for b.Loop() {
			for i := range subs {
				if _, err := c.Convert(b.Context(), &subs[i]); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkConvertLog takes a raw log of 2,000 gzip bodies to published
// segments, in MB of raw JSON per second.
func BenchmarkConvertLog(b *testing.B) {
	subs, _, bytes := realistic(b)
	const times = 20
	data, err := layout.OpenData(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer data.Close()
	log := fileHeader{}.append(nil)
	for range times {
		for i := range subs {
			log = AppendFrame(log, &subs[i], 0)
		}
	}
	defs := sharedCache(b)
	const name = "telemetry.log.v3.bench.1.1.finished"
	defer perCore(b, bytes*times)()
	for b.Loop() {
		b.StopTimer()
		if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), log, 0o644); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		st, err := ConvertLog(b.Context(), data, name, NewConverter(defs, DefaultConverterOptions()))
		if err != nil || st.Records != int64(times*len(subs)) {
			b.Fatal(st.Records, err)
		}
	}
}
