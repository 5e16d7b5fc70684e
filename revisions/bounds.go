package revisions

import "math"

// linearBounds returns n ascending lower bounds: the first is 0, the second low,
// the last high. n is at least 3 and 1 <= low < high.
//
// The conversions to float64 keep arm64 from fusing a multiplication with an
// addition, which rounds once less than the browsers' arithmetic does.
func linearBounds(low, high, n int) []int {
	bounds := make([]int, n)
	lo, hi := float64(low), float64(high)
	for i := 1; i < n; i++ {
		at := float64(float64(lo*float64(n-1-i))+float64(hi*float64(i-1))) / float64(n-2)
		bounds[i] = int(at + 0.5)
	}
	return bounds
}

// exponentialBounds is linearBounds with bounds that grow by a factor, but by at
// least 1.
func exponentialBounds(low, high, n int) []int {
	bounds := make([]int, n)
	bounds[1] = low
	logHigh := math.Log(float64(high))

	// Each bound divides the rest of the way to high, which is measured in
	// logarithms, into equal steps again. Browsers do the same, so that roundings
	// do not add up.
	for i := 2; i < n; i++ {
		logBefore := math.Log(float64(bounds[i-1]))
		step := float64(logHigh-logBefore) / float64(n-i)
		next := int(math.Floor(float64(math.Exp(logBefore+step)) + 0.5))
		bounds[i] = max(next, bounds[i-1]+1)
	}

	return bounds
}
