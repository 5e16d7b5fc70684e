package measures

import "encoding/binary"

// block is what a file has of one measure.
type block struct {
	Bounds map[string][]int // by bucketing
	Cells  []storedCell
}

// storedCell is a Cell in a file: only its buckets with samples, and its bounds once for
// all cells of the measure. Numbers by bucket are the most of a block, and gob takes ten
// times as long for them.
type storedCell struct {
	Partition    int
	Group        Group
	Labels       []string
	Pings, Votes uint64
	Sum, Samples float64
	Buckets      int
	Packed       []byte // for each bucket with samples: buckets skipped, count, share; uvarints
}

// blockOf packs cells.
func blockOf(cells []*Cell) block {
	made := block{Bounds: map[string][]int{}}
	for _, cell := range cells {
		if cell.Bounds != nil {
			made.Bounds[cell.Bucketing] = cell.Bounds
		}

		stored := storedCell{cell.Partition, cell.Group, cell.Labels, cell.Pings, cell.Votes, cell.Sum, cell.Samples, len(cell.Counts), nil}

		// Most buckets are empty: they are stored as the number skipped before the next one.
		skipped := 0
		for i, count := range cell.Counts {
			if count == 0 {
				skipped++
				continue
			}
			stored.Packed = binary.AppendUvarint(stored.Packed, uint64(skipped))
			stored.Packed = binary.AppendUvarint(stored.Packed, uint64(count))
			stored.Packed = binary.AppendUvarint(stored.Packed, cell.Shares[i])
			skipped = 0
		}

		made.Cells = append(made.Cells, stored)
	}

	return made
}

// bucket is the content of one bucket of a cell.
type bucket struct {
	at    int
	count float64
	share uint64
}

// each calls do with the buckets that have samples; errOther for damage.
func (c *storedCell) each(do func(bucket)) error {
	at := 0
	for rest := c.Packed; len(rest) > 0; at++ {
		var numbers [3]uint64
		for i := range numbers {
			number, width := binary.Uvarint(rest)
			if width <= 0 {
				return errOther
			}
			numbers[i] = number
			rest = rest[width:]
		}

		// Compared unsigned first, because a damaged number may not fit in an int.
		if numbers[0] >= uint64(c.Buckets) || at+int(numbers[0]) >= c.Buckets {
			return errOther
		}

		at += int(numbers[0])
		do(bucket{at, float64(numbers[1]), numbers[2]})
	}
	return nil
}
