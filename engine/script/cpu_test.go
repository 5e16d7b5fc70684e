package script_test

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime reports the processor time per record since it was called, beside the
// wall clock, which a busy machine makes meaningless.
func cpuTime(b *testing.B, records int) func() {
	start := used(b)
	return func() {
		per := float64((used(b) - start).Microseconds()) / float64(b.N) / float64(records)
		b.ReportMetric(per, "cpu-µs/record")
	}
}

func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
