package tables

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

// Tail is how many sums follow the bucket counts of a stored histogram: sum, log_sum,
// log_sum_squares, sum_squares_lo, sum_squares_hi. A sum that was not sent is -1.
const Tail = 5

// Modes are how a percentile is placed within its bucket.
type Mode string

const (
	// Lower is the lower bound of the bucket.
	Lower Mode = "lower"
	// Linear goes with the share of the bucket's samples that lie below, in the kinds
	// whose buckets are ranges, exponential, linear and those of Glean; the buckets of all others are
	// values, so they are the lower bound.
	Linear Mode = "linear"
	// Geometric is Linear, but for exponential histograms lower^(1-share)·upper^share, as
	// Mozilla's telemetry.js and GLAM have it.
	Geometric Mode = "geometric"
)

// Modes returns all modes; the first is the default.
func Modes() []Mode { return []Mode{Linear, Lower, Geometric} }

// ErrHistogram is returned (wrapped) for numbers that are no histogram.
var ErrHistogram = errors.New("no histogram")

// maxCount bounds a bucket's count: float64 has all integers up to it.
const maxCount = 1 << 53

// histogram adds up histograms of one bucketing: counts exactly, and each sum exactly over
// those that have it. The partial is the number of histograms, the counts, the number of
// sums, and for each how many had it and, if any had, its exact sum; then the samples of
// the histograms that had the first one.
type histogram struct {
	table  *Table
	pings  uint64
	counts []uint64
	tails  []tailSum
	summed uint64 // samples of the histograms that have a sum
}

// tailSum is one of the sums behind the counts.
type tailSum struct {
	sent  uint64 // by so many histograms
	total exact
}

// AppendHistogram appends the partial result of one stored histogram: buckets counts, then
// its sums. Errors wrap ErrHistogram.
func AppendHistogram(b []byte, numbers []float64, buckets int) ([]byte, error) {
	if buckets < 1 || buckets > len(numbers) {
		return b, fmt.Errorf("%w: it has %d numbers, fewer than its buckets and sums", ErrHistogram, len(numbers))
	}

	// One ping, then the counts, most of which are one byte.
	b = append(b, 1)
	b = binary.AppendUvarint(b, uint64(buckets))
	var samples uint64
	for i, number := range numbers[:buckets] {
		counted := uint64(number)
		if float64(counted) != number || counted > maxCount {
			return b, fmt.Errorf("%w: the count of bucket %d is %v", ErrHistogram, i, number)
		}

		samples += counted
		if counted < 0x80 {
			b = append(b, byte(counted))
		} else {
			b = binary.AppendUvarint(b, counted)
		}
	}

	// A sum that the client did not send is negative, and stored as 0 pings.
	b = binary.AppendUvarint(b, uint64(len(numbers)-buckets))
	for i, number := range numbers[buckets:] {
		if math.IsNaN(number) || math.IsInf(number, 0) {
			return b, fmt.Errorf("%w: sum %d behind its buckets is %v", ErrHistogram, i, number)
		}
		if number < 0 {
			b = append(b, 0)
			if i == 0 {
				samples = 0
			}
			continue
		}

		var total exact
		total.add(number)
		b = total.append(append(b, 1))
	}
	return binary.AppendUvarint(b, samples), nil
}

func (h *histogram) merge(partial []byte) error {
	r := reader{rest: partial}
	h.pings += r.uvarint()

	// The first partial result decides how many buckets there are.
	buckets := int(r.uvarint())
	switch {
	case buckets < 0 || buckets > len(r.rest):
		return ErrPartial
	case h.counts == nil:
		h.counts = make([]uint64, buckets)
	case len(h.counts) != buckets:
		return ErrPartial
	}

	// Most counts are zero, and most others are one byte.
	rest := r.rest
	counts := h.counts
	for i := 0; i < len(counts); i++ {
		for i+8 < len(counts) && len(rest) >= 8 && binary.LittleEndian.Uint64(rest) == 0 {
			rest = rest[8:]
			i += 8
		}
		if len(rest) > 0 && rest[0] < 0x80 {
			counts[i] += uint64(rest[0])
			rest = rest[1:]
			continue
		}

		counted, width := binary.Uvarint(rest)
		total, carry := bits.Add64(counts[i], counted, 0)
		if width <= 0 || carry != 0 {
			return ErrPartial
		}
		counts[i] = total
		rest = rest[width:]
	}
	r.rest = rest

	// The sums; the first partial result decides how many there are.
	tails := int(r.uvarint())
	if h.tails == nil && tails >= 0 && tails <= len(r.rest) {
		h.tails = make([]tailSum, tails)
	}
	if len(h.tails) != tails {
		return ErrPartial
	}
	for i := range h.tails {
		sent := r.uvarint()
		if sent > 0 {
			h.tails[i].sent += sent
			h.tails[i].total.merge(&r)
		}
	}
	h.summed += r.uvarint()
	return r.end()
}

func (h *histogram) append(b []byte) []byte {
	// Pings and counts.
	b = binary.AppendUvarint(b, h.pings)
	b = binary.AppendUvarint(b, uint64(len(h.counts)))
	for _, counted := range h.counts {
		b = binary.AppendUvarint(b, counted)
	}

	// The sums, each with the number of pings that sent it.
	b = binary.AppendUvarint(b, uint64(len(h.tails)))
	for i := range h.tails {
		tail := &h.tails[i]
		b = binary.AppendUvarint(b, tail.sent)
		if tail.sent > 0 {
			b = tail.total.append(b)
		}
	}
	return binary.AppendUvarint(b, h.summed)
}

func (h *histogram) bytes() int {
	size := 128 + 8*len(h.counts)
	for i := range h.tails {
		size += 64 + 8*len(h.tails[i].total.limbs)
	}
	return size
}

// samples returns how many samples there are.
func (h *histogram) samples() (total float64) {
	for _, counted := range h.counts {
		total += float64(counted)
	}
	return total
}

// appendCounts appends the counts as numbers, without the array around them.
func (h *histogram) appendCounts(b []byte) []byte {
	for _, counted := range h.counts {
		b = datum.AppendNumber(b, float64(counted))
	}
	return b
}

// appendNumbers appends the stored form: counts, then sums, as appendCounts does.
func (h *histogram) appendNumbers(b []byte) []byte {
	b = h.appendCounts(b)
	for i := range h.tails {
		number := -1.0
		if h.tails[i].sent > 0 {
			number = h.tails[i].total.float()
		}
		b = datum.AppendNumber(b, number)
	}
	return b
}

// rowOf appends the result's cells, as resultsOfHistograms names them. bucketing is how
// the key has it: text, buckets, numbers.
func (h *histogram) rowOf(b, bucketing []byte) ([]byte, error) {
	// The bucketing of the key has two cells: its text and its length.
	_, text, rest, err := datum.Next(bucketing)
	if err != nil {
		return b, err
	}
	_, _, length, err := datum.Next(rest)
	if err != nil {
		return b, err
	}

	b = append(append(b, text...), length...)
	b = datum.AppendNumber(b, float64(h.pings))
	b = datum.AppendNumber(b, h.samples())
	b = h.appendSum(b)

	// Percentiles and buckets cost more than the rest: leave them out if the table does not show them.
	if h.table.Show != nil && !h.table.showsPlaces {
		for range h.table.Percentiles {
			b = datum.AppendNull(b)
		}
		b = datum.AppendNull(b) // buckets
	} else {
		b = h.appendPlaces(b, string(datum.Text(text)))
	}
	return datum.AppendKind(h.appendNumbers(datum.AppendKind(b, datum.Array)), datum.End), nil
}

// appendPlaces appends the percentiles and the counts.
func (h *histogram) appendPlaces(b []byte, bucketing string) []byte {
	var bounds []int
	if h.table.Bounds != nil {
		bounds = h.table.Bounds(bucketing, len(h.counts))
	}
	for _, percentile := range h.table.Percentiles {
		b = h.appendPercentile(b, percentile, bucketing, bounds)
	}
	return datum.AppendKind(h.appendCounts(datum.AppendKind(b, datum.Array)), datum.End)
}

// appendSum appends the sum and the mean. Both are null if no histogram has a sum, and
// the mean is that of the histograms that have.
func (h *histogram) appendSum(b []byte) []byte {
	if len(h.tails) == 0 || h.tails[0].sent == 0 {
		return datum.AppendNull(datum.AppendNull(b))
	}

	total := h.tails[0].total.float()
	b = datum.AppendNumber(b, total)
	if h.summed == 0 {
		return datum.AppendNull(b)
	}
	return datum.AppendNumber(b, total/float64(h.summed))
}

// appendPercentile appends a percentile; null if there are no samples, or the bounds are
// not known.
func (h *histogram) appendPercentile(b []byte, percentile float64, bucketing string, bounds []int) []byte {
	// Other bounds than counts mean that the bucketing is not known here.
	samples := h.samples()
	if samples == 0 || len(bounds) != len(h.counts) {
		return datum.AppendNull(b)
	}

	// The bucket in which the samples below the percentile are used up.
	left := samples * percentile / 100
	for i, counted := range h.counts {
		count := float64(counted)
		if count > 0 && left <= count {
			return datum.AppendNumber(b, h.place(bounds, i, left/count, bucketing))
		}
		left -= count
	}
	return datum.AppendNumber(b, float64(bounds[len(bounds)-1]))
}

// place returns the number at a share of a bucket.
func (h *histogram) place(bounds []int, bucket int, share float64, bucketing string) float64 {
	low := float64(bounds[bucket])
	kind := kindOf(bucketing)
	isRange := slices.Contains(ranges, kind)

	// The last bucket has no upper bound.
	if h.table.Mode == Lower || !isRange || bucket+1 == len(bounds) {
		return low
	}

	high := float64(bounds[bucket+1])
	if h.table.Mode == Geometric && kind == exponential {
		return math.Pow(low, 1-share) * math.Pow(high, share)
	}
	return low + float64((high-low)*share)
}

const exponential = "exponential"

// ranges are the kinds whose buckets are ranges of values.
var ranges = []string{exponential, "linear", "timing", "memory"}

// kindOf returns the first word of a bucketing such as "exponential 1 to 10000".
func kindOf(bucketing string) string {
	for i := range len(bucketing) {
		if bucketing[i] == ' ' {
			return bucketing[:i]
		}
	}
	return bucketing
}
