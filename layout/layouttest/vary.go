package layouttest

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"testing"
)

// varied is the share of numbers that Varied changes. With it, 20,000 records
// compress by zstd -9 --long to 8.8 % of their size, as did those of the
// predecessor's measurement (52.6 of 597 MB).
const varied = 0.45

// Varied yields n records made of the 100 converted pings of the shared data, in
// turn. Each has an ID of its own, and many counts and sums of its histograms differ
// from the original by up to a quarter, so that it does not compress as a copy. The same n
// gives the same records. A record is valid until the next.
func Varied(t testing.TB, n int) iter.Seq[Record] {
	originals := Records(t)
	return func(yield func(Record) bool) {
		// The seed is fixed: benchmarks of two versions get the same records.
		rnd := rand.New(rand.NewPCG(1, 2))
		var json []byte
		for i := range n {
			original := originals[i%len(originals)]
			json = vary(json[:0], original.JSON, rnd)

			// A random UUID of version 4, from a fixed seed.
			a, b := rnd.Uint64(), rnd.Uint64()
			id := fmt.Appendf(nil, "%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&(1<<48-1))
			if !yield(Record{original.Partition, id, json}) {
				return
			}
		}
	}
}

// vary appends the JSON with other numbers in its histograms, which are arrays
// of counts and of five sums.
func vary(dst, json []byte, rnd *rand.Rand) []byte {
	for {
		open := bytes.IndexByte(json, '[')
		if open < 0 {
			return append(dst, json...)
		}
		dst = append(dst, json[:open+1]...)
		json = json[open+1:]

		// Other arrays are copied: those that are short, or not of numbers only.
		end := bytes.IndexByte(json, ']')
		list := bytes.Split(json[:end], []byte(","))
		if len(list) < 6 || len(bytes.Trim(json[:end], "0123456789.,-+e")) > 0 {
			continue
		}

		for i, number := range list {
			if i > 0 {
				dst = append(dst, ',')
			}

			if rnd.Float64() < varied {
				dst = varyNumber(dst, string(number), rnd)
			} else {
				dst = append(dst, number...)
			}
		}
		json = json[end:]
	}
}

func varyNumber(dst []byte, number string, rnd *rand.Rand) []byte {
	factor := 0.75 + rnd.Float64()/2

	// Counts of 0 and 1 stay, as does -1, a missing sum.
	count, err := strconv.ParseInt(number, 10, 64)
	if err == nil {
		if count > 1 {
			count = max(1, int64(float64(count)*factor+0.5))
		}
		return strconv.AppendInt(dst, count, 10)
	}

	sum, err := strconv.ParseFloat(number, 64)
	if err != nil {
		panic(err)
	}
	return strconv.AppendFloat(dst, sum*factor, 'g', -1, 64)
}
