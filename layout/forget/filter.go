package forget

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A filter has, for each ID of a segment, a number of 40 bits, in order: the differences as
// uvarints, in base64. So it takes some five bytes for each client, and of a million clients
// that are not in the segment one is taken for one that is, if it has a million.
const (
	numberBits = 40
	// Version of the places where records have IDs.
	Version = 1
	// maxFilter is how many IDs a filter has at most. A segment with more has none, and is
	// read.
	maxFilter = 1 << 20
)

// number stands for an ID in a filter. UUIDs are random.
func (id ID) number() uint64 { return binary.BigEndian.Uint64(id[:8]) >> (64 - numberBits) }

// Collector makes the Filter of a segment from its records. The zero value is empty.
type Collector struct {
	records int64
	numbers []uint64
	sorted  int // so many of numbers are in order, without repeats
	unknown bool
}

// Add adds the IDs of a record.
func (c *Collector) Add(ids []ID) {
	c.records++
	for _, id := range ids {
		if !c.unknown {
			c.numbers = append(c.numbers, id.number())
		}
	}

	// Sorting only once the list has doubled bounds both its length and the work.
	if len(c.numbers) > 2*c.sorted+1024 {
		c.settle()
	}
}

// AddFilter adds the records of a segment with that filter; nil: it has none.
func (c *Collector) AddFilter(f *Filter, records int64) {
	c.records += records

	// What one segment may have is not known, so it is not known of the sum either.
	if f == nil {
		c.unknown, c.numbers = true, nil
	}

	if !c.unknown {
		c.numbers = append(c.numbers, f.numbers...)
		c.settle()
	}
}

// LeaveOut makes a filter of so many records fewer: another one of the same clients repeats
// each of them.
func (c *Collector) LeaveOut(records int64) { c.records -= records }

// settle brings the numbers into order.
func (c *Collector) settle() {
	slices.Sort(c.numbers)
	c.numbers = slices.Compact(c.numbers)

	c.sorted = len(c.numbers)

	if c.sorted > maxFilter {
		c.unknown, c.numbers = true, nil
	}
}

// Text returns the filter as segments have it; "" if the IDs are unknown or too many.
func (c *Collector) Text() string {
	c.settle()
	if c.unknown {
		return ""
	}

	// Differences of sorted numbers take fewer bytes than the numbers.
	packed := make([]byte, 0, 5*len(c.numbers))
	last := uint64(0)
	for _, n := range c.numbers {
		packed = binary.AppendUvarint(packed, n-last)
		last = n
	}
	return fmt.Sprintf("%d %d %s", Version, c.records, base64.RawStdEncoding.EncodeToString(packed))
}

// Filter says which IDs the records of a segment may have.
type Filter struct {
	numbers []uint64
}

// ParseFilter reads the filter of a segment with so many records. It is nil for one of
// another version, or of other records: the segment must be read then.
func ParseFilter(text string, records int64) *Filter {
	fields := strings.Split(text, " ")
	if len(fields) != 3 || fields[0] != strconv.Itoa(Version) || fields[1] != strconv.FormatInt(records, 10) {
		return nil
	}

	packed, err := base64.RawStdEncoding.DecodeString(fields[2])
	if err != nil {
		return nil
	}

	// Each number is stored as the difference to the one before.
	f := &Filter{}
	last := uint64(0)
	for len(packed) > 0 {
		difference, width := binary.Uvarint(packed)
		if width <= 0 {
			return nil
		}

		last += difference
		f.numbers = append(f.numbers, last)
		packed = packed[width:]
	}

	return f
}

// Hits returns those clients of the set that the segment may have, in the order of All; all of
// them for a nil Filter.
func (f *Filter) Hits(s *Set) *Set {
	// Without a filter, the segment may have any of them.
	if f == nil || s.Len() == 0 {
		return s
	}

	hits := &Set{}
	for id, request := range s.byID {
		if _, found := slices.BinarySearch(f.numbers, id.number()); found {
			hits.Add(request)
		}
	}
	return hits
}
