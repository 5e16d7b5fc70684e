package dedup

// Duplicates are the records of a list of segments that a later record of the same
// document replaces. It is safe for concurrent use.
type Duplicates struct {
	byPath  map[string]Records // only segments that have some
	Dropped int64              // records in all of them
}

// Of returns the duplicates in the segment of that path; nil if it has no duplicate.
// They must not be changed.
func (d *Duplicates) Of(path string) Records { return d.byPath[path] }

// Records is a set of records of one segment, a bit for each by its number in the
// segment.
type Records []uint64

// Has says whether the record with that number is in the set.
func (r Records) Has(record int) bool {
	return record/64 < len(r) && r[record/64]>>(record%64)&1 != 0
}

// With returns the set with one more record; it may be the same memory.
func (r Records) With(record int) Records {
	missing := record/64 + 1 - len(r)
	if missing > 0 {
		r = append(r, make(Records, missing)...)
	}

	r[record/64] |= 1 << (record % 64)
	return r
}

func (d *Duplicates) add(path string, record int) {
	d.byPath[path] = d.byPath[path].With(record)
	d.Dropped++
}
