package layouttest

import (
	"syscall"
	"testing"
	"time"
)

// RequireLinear requires that work on input that is eight times as large takes at most
// sixteen times as long; work that grows with the square takes 64 times as long.
// Prepare returns the work on an input of size n. Tests of all packages use it.
//
// Times are processor time of this process, so that other programs on a busy machine
// do not count, and the fastest of five runs. What looks too slow is measured again,
// because tests that run beside this one do count.
func RequireLinear(t *testing.T, n int, prepare func(n int) (work func())) {
	t.Helper()
	fastest := func(work func()) time.Duration {
		best := time.Hour
		for range 5 {
			start := ProcessorTime(t)
			work()
			best = min(best, ProcessorTime(t)-start)
		}
		return best
	}

	var small, large time.Duration
	smallWork, largeWork := prepare(n), prepare(8*n)
	for range 4 {
		small, large = fastest(smallWork), fastest(largeWork)
		if large <= 16*small+time.Millisecond {
			return
		}
	}
	t.Errorf("8 times as much takes %.0f times as long: %v and %v", float64(large)/float64(small), small, large)
}

// ProcessorTime returns what this process has used so far.
func ProcessorTime(t testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}

	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
