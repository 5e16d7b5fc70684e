package cli

import (
	"math"
	"time"

	"github.com/alecthomas/kong"
)

// zeroTag is the tag of a duration flag that may be 0, with what that means.
const zeroTag = "zero"

// checkValues returns an error for the first flag of the chosen command whose number
// means nothing: a duration below zero, or of zero without the tag zero; a float that
// is not a number, or infinite. The commands check what else they require.
func checkValues(kctx *kong.Context) error {
	for _, flag := range kctx.Flags() {
		switch value := flag.Target.Interface().(type) {
		case time.Duration:
			if value < 0 {
				return Usage("--%s %v: cannot be negative", flag.Name, value)
			}
			if value == 0 && !flag.Tag.Has(zeroTag) {
				return Usage("--%s %v: want more than 0", flag.Name, value)
			}
		case float64:
			if math.IsNaN(value) || math.IsInf(value, 0) {
				return Usage("--%s %v: want a number", flag.Name, value)
			}
		}
	}
	return nil
}
