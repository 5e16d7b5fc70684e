package revisions

import (
	"math"
	"math/big"
	"slices"
	"sync"
)

// maxGleanPower bounds the buckets of Glean's distributions: greater numbers than two to
// this power are not exact in JSON.
const maxGleanPower = 53

// gleanPrecision is that of powers of a root, in bits: their error is far below that of
// a float64.
const gleanPrecision = 256

// gleanBounds are the lower bounds of Timing and Memory: 0, and the whole numbers below
// two to the i-th part of a power, where Timing has 8 buckets for each doubling and
// Memory has 16. Source: glean-core, histogram/functional.rs.
var gleanBounds = sync.OnceValue(func() map[Kind][]int {
	bounds := map[Kind][]int{}
	for kind, perDoubling := range map[Kind]int{Timing: 8, Memory: 16} {
		// Clients take powers of this rounded root, each of them rounded once, so these
		// roundings are in the bounds: Memory has one at 511 and none at 512. math.Pow rounds
		// more often: it would give Timing one at 511 too, where clients have 512.
		root := new(big.Float).SetPrec(gleanPrecision).SetFloat64(math.Pow(2, 1/float64(perDoubling)))
		power := new(big.Float).SetPrec(gleanPrecision).SetInt64(1)
		of := []int{0}
		for range maxGleanPower*perDoubling + 1 {
			rounded, _ := power.Float64()
			of = append(of, int(math.Floor(rounded)))
			power.Mul(power, root)
		}
		bounds[kind] = slices.Compact(of) // the first ones are less than 1 apart
	}
	return bounds
})

// GleanKind returns Timing or Memory for that name; ok is false for another name.
func GleanKind(name string) (kind Kind, ok bool) {
	for kind, its := range gleanKindNames {
		if its == name {
			return kind, true
		}
	}
	return 0, false
}

// NewGlean returns the definition of a distribution of kind Timing or Memory. All of a kind
// have the same buckets, so that they can be added.
func NewGlean(name string, kind Kind) *Definition {
	bounds := gleanBounds()[kind]
	return &Definition{
		Name: name, Kind: kind,
		Low: bounds[1], High: bounds[len(bounds)-1], BucketCount: len(bounds), bounds: bounds,
	}
}

// GleanBucket returns the bucket of a count that a ping names by its bucket's lower bound.
// Where a client rounds in another way, its bound may differ by 1.
func (d *Definition) GleanBucket(bound int64) int {
	at, found := slices.BinarySearch(d.bounds, int(bound))
	if found {
		return at
	}
	if at < len(d.bounds) && int64(d.bounds[at])-bound == 1 && bound > 1 {
		return at
	}
	return max(at-1, 0)
}
