package ingesttest

import (
	"testing"
	"time"
)

// RequireLinear requires that work on input that is eight times as large takes at most
// 32 times as long, on a busy machine; work that grows with the square takes 64 times as long.
// Prepare returns the work on an input of size n. Times are the fastest of five runs,
// and what looks too slow is measured again, because the machine may be busy.
func RequireLinear(t *testing.T, n int, prepare func(n int) (work func())) {
	t.Helper()
	fastest := func(work func()) time.Duration {
		best := time.Hour
		for range 5 {
			start := time.Now()
			work()
			best = min(best, time.Since(start))
		}
		return best
	}

	var small, large time.Duration
	smallWork, largeWork := prepare(n), prepare(8*n)
	for range 4 {
		small, large = fastest(smallWork), fastest(largeWork)
		if large <= 32*small+10*time.Millisecond {
			return
		}
	}
	t.Errorf("8 times as much takes %.0f times as long: %v and %v", float64(large)/float64(small), small, large)
}
