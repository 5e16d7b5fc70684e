package upkeep

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// BenchmarkCompactColumns brings b.N records of one day, which lie in 5,000 partitions, into
// columns: MB of records per second of processor time, and the peak of the memory. Run it
// with -benchtime 20000x; it takes a minute.
func BenchmarkCompactColumns(b *testing.B) {
	const partitions = 5000
	if b.N < partitions {
		return // the trial run
	}
	d := layouttest.Open(b)
	w, err := d.NewWriter("log.1", layout.WriterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	raw := 0
	number := 0
	for r := range layouttest.Varied(b, b.N) {
		r.Partition = layouttest.Channel(fmt.Sprint(number % partitions))
		number++
		if err := w.Add(r.Partition, r.ID, r.JSON); err != nil {
			b.Fatal(err)
		}
		raw += len(r.ID) + len(r.JSON) + 2
	}
	if _, err := w.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}

	// What publication took does not count.
	debug.FreeOSMemory()
	if runtime.GOOS == "linux" {
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
			b.Fatal(err)
		}
	}
	before := layouttest.ProcessorTime(b)
	start := time.Now()
	st := compactColumns(b, d, 0)
	used := (layouttest.ProcessorTime(b) - before).Seconds()
	if st.Partitions != partitions || st.Records != int64(b.N) {
		b.Fatalf("%+v", st)
	}

	fmt.Fprintf(os.Stderr, "%d records, %.0f MB, of %d segments: %.1f MB to %.1f MB, %.1f s, %.1f s of processor time, %.1f MB per second of it; %s\n",
		st.Records, float64(raw)/1e6, st.Segments, float64(st.Before)/1e6, float64(st.After)/1e6, time.Since(start).Seconds(), used, float64(raw)/1e6/used, peakMemory(b))
	b.ReportMetric(0, "ns/op")
}

// peakMemory is the line of the process's peak of memory.
func peakMemory(t testing.TB) string {
	if runtime.GOOS != "linux" {
		return "memory is measured on linux only"
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if bytes.HasPrefix(line, []byte("VmHWM:")) {
			return string(bytes.Join(bytes.Fields(line), []byte(" ")))
		}
	}
	t.Fatal("no peak of memory")
	return ""
}
