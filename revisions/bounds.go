package revisions

import "math"

// linearBounds returns n ascending lower bounds, 0 first, low second, high last.
// n is at least 3 and 1 <= low < high.
//
// The conversions keep arm64 from fusing multiply and add, which rounds once
// less than the browsers' arithmetic does.
func linearBounds(low, high, n int) []int {
	b := make([]int, n)
	lo, hi := float64(low), float64(high)
	for i := 1; i < n; i++ {
		at := float64(float64(lo*float64(n-1-i))+float64(hi*float64(i-1))) / float64(n-2)
		b[i] = int(at + 0.5)
	}
	return b
}

// exponentialBounds is linearBounds with bounds that grow by a factor, but by 1
// at least.
func exponentialBounds(low, high, n int) []int {
	b := make([]int, n)
	b[1] = low
	logMax := math.Log(float64(high))
	for i := 2; i < n; i++ {
		logPrev := math.Log(float64(b[i-1]))
		step := float64(logMax-logPrev) / float64(n-i)
		b[i] = max(int(math.Floor(float64(math.Exp(logPrev+step))+0.5)), b[i-1]+1)
	}
	return b
}
