package tables

import "encoding/binary"

// Histograms as JSON text are not made into partial results first: their numbers are added
// to the result of their key at once, and the text is kept until the record has been
// mapped, so that they can be subtracted again.
//
// It replaces AppendHistogramText and Task.Add, with which TestDirectHistograms compares it;
// the row all_histograms of docs/BENCHMARKS.md pays for it (2026-11-28).

// directAdd is a histogram that the record has added to a group.
type directAdd struct {
	group           int32
	begin, end      int // of its text in Task.waiting
	buckets, length int
}

// Group returns the number of the group of a key, which is valid until the next Commit.
func (t *Task) Group(table int, key []byte) int32 {
	t.find(key, table)
	return t.last
}

// AddHistogramText adds the histogram that text begins with to a group: length numbers, the
// first of them the counts of the buckets, then a closing bracket. It returns the offset of
// that bracket. ok is false, and nothing is added, if the text is not plain JSON without
// spaces or has another length: such a histogram must be parsed and given to
// AppendHistogram.
func (t *Task) AddHistogramText(group int32, text []byte, buckets, length int) (end int, ok bool) {
	g := &t.groups[group]
	total, ok := g.total.(*histogram)
	if !ok || !total.fits(buckets, length) {
		return 0, false
	}
	if end, ok = total.addText(text, length); !ok {
		return 0, false
	}

	// Rollback subtracts the text again if the record fails later.
	begin := len(t.waiting)
	t.waiting = append(t.waiting, text[:end]...)
	t.direct = append(t.direct, directAdd{group, begin, len(t.waiting), buckets, length})

	// Measuring the size costs time and the size grows slowly, so measure it at pings 1, 2, 4, 8, …
	if total.pings&(total.pings-1) == 0 {
		size := total.bytes()
		t.bytes += size - g.bytes
		g.bytes = size
	}
	return end, true
}

// undoDirect subtracts what was added directly, but for the first adds.
func (t *Task) undoDirect(keep int) {
	for _, added := range t.direct[keep:] {
		total := t.groups[added.group].total.(*histogram)
		total.subtractText(t.waiting[added.begin:added.end], added.length)
	}
	t.direct = t.direct[:keep]
}

// fits makes an empty histogram one of so many buckets and numbers, and reports whether
// another one is that.
func (h *histogram) fits(buckets, length int) bool {
	sums := length - buckets
	if buckets < 1 || sums < 0 || sums > Tail {
		return false
	}
	if h.counts == nil {
		h.counts = make([]uint64, buckets)
		h.tails = make([]tailSum, sums)
	}
	return len(h.counts) == buckets && len(h.tails) == sums
}

// addText adds the numbers of a JSON array; text is what follows its opening bracket. It
// returns the offset of the closing one. ok is false, and nothing is added, for other text.
func (h *histogram) addText(text []byte, length int) (end int, ok bool) {
	counts := h.counts
	at := 0
	var samples uint64

	// The counts. A comma follows each number, and the bracket the last one of all.
	for i := 0; i < len(counts); i++ {
		// Many buckets are empty, and empty ones stand together.
		for len(counts)-i > 4 && at+8 <= len(text) && binary.LittleEndian.Uint64(text[at:]) == fourZeros {
			at += 8
			i += 4
		}

		// Parse the digits by hand: this loop runs for every bucket of every histogram.
		first := at
		var counted uint64
		for at < len(text) && text[at]-'0' <= 9 {
			counted = 10*counted + uint64(text[at]-'0')
			at++
		}

		digits := at - first
		if digits == 0 || digits > maxDirectDigits || at >= len(text) || text[at] != separator(i, length) {
			h.subtractCounts(text, i)
			return 0, false
		}

		at++
		counts[i] += counted
		samples += counted
	}

	// The sums are added when all of them are known to be right.
	var sums [Tail]float64
	for i := range h.tails {
		first := at
		for at < len(text) && text[at] != ',' && text[at] != ']' {
			at++
		}

		number, isNumber := sumOf(text[first:at])
		if first == at || !isNumber || at >= len(text) || text[at] != separator(len(counts)+i, length) {
			h.subtractCounts(text, len(counts))
			return 0, false
		}

		sums[i] = number
		at++
	}

	// The whole text was right: count the ping and add its sums.
	h.pings++
	for i := range h.tails {
		if sums[i] >= 0 {
			h.tails[i].sent++
			h.tails[i].total.add(sums[i])
		}
	}

	// Samples count only where the sum of the ping was sent, because the mean divides by them.
	if len(h.tails) == 0 || sums[0] >= 0 {
		h.summed += samples
	}
	return at - 1, true
}

// maxDirectDigits are the digits of the counts that can be added as often as a run has
// records without passing 64 bits.
const maxDirectDigits = 9

// separator is what stands behind a number.
func separator(i, length int) byte {
	if i == length-1 {
		return ']'
	}
	return ','
}

// subtractCounts subtracts the first counts of a text that addText has added.
func (h *histogram) subtractCounts(text []byte, counts int) {
	at := 0
	for i := range counts {
		var counted uint64
		for ; text[at]-'0' <= 9; at++ {
			counted = 10*counted + uint64(text[at]-'0')
		}
		at++
		h.counts[i] -= counted
	}
}

// subtractText subtracts a histogram that addText has added; text is without the closing
// bracket.
func (h *histogram) subtractText(text []byte, length int) {
	// Reading the text again gives the numbers that were added.
	var added histogram
	added.fits(len(h.counts), length)
	added.addText(append(text[:len(text):len(text)], ']'), length)

	// A counter is subtracted exactly; a sum is exact too, so adding the negative undoes it.
	for i, counted := range added.counts {
		h.counts[i] -= counted
	}
	for i := range added.tails {
		if added.tails[i].sent > 0 {
			h.tails[i].sent--
			h.tails[i].total.add(-added.tails[i].total.float())
		}
	}

	h.pings--
	h.summed -= added.summed
}
