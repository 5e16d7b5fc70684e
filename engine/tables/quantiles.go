package tables

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/datum"
)

const (
	// ExactValues is up to how many values of a key quantiles are exact.
	ExactValues = 1000
	// cellBits is how many bits of a number's mantissa choose its cell, beyond
	// ExactValues: a cell is 1/128 of a power of two wide, so its middle is at most 1/256
	// away from any number in it, relative to the number.
	cellBits = 7
)

// quantiles are numbers: all of them up to ExactValues, more as counts by cell. Which of
// the two depends on how many there are in all, and both are the same in any order. The
// partial is the number of values, then the sorted values, or the least and the greatest,
// then the number of cells, each its place, as the difference to the one before, and count.
type quantiles struct {
	of     []float64 // from 0 to 1
	n      uint64
	values []float64        // all; nil if there are cells
	cellOf map[int32]uint64 // counts; nil as long as there are values
	least  float64          // of those in cells
	most   float64
}

// cellOf returns the cell of a number: cells order as numbers do. It is the upper bits
// of the number, so that it is the same on every machine, which a logarithm is not.
func cellPlace(number float64) int32 {
	place := int32(math.Float64bits(math.Abs(number)) >> (52 - cellBits))
	if number < 0 {
		return -place - 1
	}
	return place
}

// middle returns the number in the middle of a cell.
func middle(place int32) float64 {
	if place < 0 {
		return -middle(-place - 1)
	}
	low := math.Float64frombits(uint64(place) << (52 - cellBits))
	high := math.Float64frombits(uint64(place+1) << (52 - cellBits))
	if math.IsInf(high, 1) {
		return low
	}
	return low + (high-low)/2
}

func (q *quantiles) merge(partial []byte) error {
	r := reader{rest: partial}
	n := r.uvarint()

	// Many values are counted by cell.
	if n > ExactValues {
		q.mergeCells(n, &r)
		return r.end()
	}

	// Few values are a list.
	for range n {
		q.add(r.float())
	}
	return r.end()
}

// mergeCells adds n values by cell.
func (q *quantiles) mergeCells(n uint64, r *reader) {
	q.toCells()
	least, most := r.float(), r.float()

	// Without cells there are no bounds to compare with.
	if len(q.cellOf) == 0 {
		q.least, q.most = least, most
	}
	q.least = min(q.least, least)
	q.most = max(q.most, most)
	q.n += n

	// Cells are in ascending order, each as its distance from the one before.
	place := int32(0)
	for cells := r.uvarint(); cells > 0 && r.err == nil; cells-- {
		place += int32(r.varint())
		q.cellOf[place] += r.uvarint()
	}
}

func (q *quantiles) add(number float64) {
	q.n++
	if q.cellOf == nil {
		q.values = append(q.values, number)
		if q.n > ExactValues {
			q.toCells()
		}
		return
	}

	q.addCell(number)
}

func (q *quantiles) addCell(number float64) {
	if len(q.cellOf) == 0 {
		q.least, q.most = number, number
	}
	q.least = min(q.least, number)
	q.most = max(q.most, number)
	q.cellOf[cellPlace(number)]++
}

// toCells counts the values by cell.
func (q *quantiles) toCells() {
	if q.cellOf != nil {
		return
	}
	q.cellOf = map[int32]uint64{}
	for _, number := range q.values {
		q.addCell(number)
	}
	q.values = nil
}

// places returns the cells in order.
func (q *quantiles) places() []int32 {
	places := make([]int32, 0, len(q.cellOf))
	for place := range q.cellOf {
		places = append(places, place)
	}
	slices.Sort(places)
	return places
}

func (q *quantiles) append(b []byte) []byte {
	b = binary.AppendUvarint(b, q.n)

	// Few values are stored as they are, sorted so that equal sets have equal bytes.
	if q.cellOf == nil {
		slices.Sort(q.values)
		for _, number := range q.values {
			b = appendFloat(b, number)
		}
		return b
	}

	// Cells are stored as distances, which are short.
	b = appendFloat(appendFloat(b, q.least), q.most)
	b = binary.AppendUvarint(b, uint64(len(q.cellOf)))
	before := int32(0)
	for _, place := range q.places() {
		b = binary.AppendVarint(b, int64(place-before))
		b = binary.AppendUvarint(b, q.cellOf[place])
		before = place
	}
	return b
}

func (q *quantiles) bytes() int { return 96 + 8*cap(q.values) + 32*len(q.cellOf) }

// cells appends n and the quantiles.
func (q *quantiles) cells(b []byte) []byte {
	b = datum.AppendNumber(b, float64(q.n))

	slices.Sort(q.values)
	var places []int32
	if q.cellOf != nil {
		places = q.places()
	}

	for _, of := range q.of {
		number := 0.0
		if q.cellOf == nil {
			number = between(q.values, of)
		} else {
			number = q.inCells(places, of)
		}
		b = datum.AppendNumber(b, number)
	}
	return b
}

// between returns a quantile of sorted numbers, linear between neighbours, as
// stats.quantile does.
func between(sorted []float64, of float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := float64(len(sorted)-1) * of
	low := int(math.Floor(at))
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + float64((sorted[low+1]-sorted[low])*(at-float64(low)))
}

// inCells returns the middle of the cell that holds the number of a quantile's rank.
func (q *quantiles) inCells(places []int32, of float64) float64 {
	if q.n == 0 {
		return math.NaN()
	}

	// The first and the last rank are known exactly.
	rank := uint64(math.Round(float64(q.n-1) * of))
	switch rank {
	case 0:
		return q.least
	case q.n - 1:
		return q.most
	}

	// Otherwise count along the cells until the rank is reached.
	var passed uint64
	for _, place := range places {
		passed += q.cellOf[place]
		if passed > rank {
			return min(max(middle(place), q.least), q.most)
		}
	}
	return q.most
}
