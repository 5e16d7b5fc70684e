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
// turn: each has an ID of its own, and many counts and sums of its histograms are
// others, by up to a quarter, so that it does not compress as a copy. The same n
// gives the same records. A record is valid until the next.
func Varied(t testing.TB, n int) iter.Seq[Record] {
	rs := Records(t)
	return func(yield func(Record) bool) {
		rnd := rand.New(rand.NewPCG(1, 2))
		var json []byte
		for i := range n {
			r := rs[i%len(rs)]
			json = vary(json[:0], r.JSON, rnd)
			a, b := rnd.Uint64(), rnd.Uint64()
			id := fmt.Appendf(nil, "%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&(1<<48-1))
			if !yield(Record{r.Partition, id, json}) {
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
		dst, json = append(dst, json[:open+1]...), json[open+1:]
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
	f := 0.75 + rnd.Float64()/2
	if v, err := strconv.ParseInt(number, 10, 64); err == nil {
		if v > 1 {
			v = max(1, int64(float64(v)*f+0.5))
		}
		return strconv.AppendInt(dst, v, 10)
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		panic(err)
	}
	return strconv.AppendFloat(dst, v*f, 'g', -1, 64)
}
