package schema

import (
	"slices"
)

// Filter selects partitions, level by level, so that whole folders are pruned
// before they are listed. The zero Filter selects nothing; All selects
// everything valid. It is immutable and safe for concurrent use.
type Filter struct {
	allowed [NumDims][]Values // a value must be in each set; no set allows nothing
	// IncludeQuarantined also selects quarantined records.
	IncludeQuarantined bool
}

// All returns the filter that selects every valid partition.
func All() Filter {
	var f Filter
	for i := range f.allowed {
		f.allowed[i] = []Values{Anything()}
	}
	return f
}

// Filter returns the schema document as a filter. Every form of allowed value
// is compared in its sanitised form, as paths have it.
func (s *Schema) Filter() Filter {
	f := Filter{IncludeQuarantined: s.IncludeQuarantined}
	for i, v := range s.Allowed {
		f.allowed[i] = []Values{v.sanitised(i)}
	}
	return f
}

// ParseFilter reads a schema-shaped document as a filter. Errors wrap ErrSchema.
func ParseFilter(doc []byte) (Filter, error) {
	s, err := ParseSchema(doc)
	if err != nil {
		return Filter{}, err
	}
	return s.Filter(), nil
}

// Where returns f narrowed to the partitions whose dimension dim is in v, which
// must be sanitised, as ParseWhere returns it.
func (f Filter) Where(dim int, v Values) Filter {
	f.allowed[dim] = append(slices.Clip(f.allowed[dim]), v)
	return f
}

// Matches says whether value, a sanitised path component, is selected at level dim.
func (f Filter) Matches(dim int, value string) bool {
	for _, v := range f.allowed[dim] {
		if !v.Allows(value) {
			return false
		}
	}
	return len(f.allowed[dim]) > 0
}

// Selects says whether the partition with these dimensions is selected.
func (f Filter) Selects(d Dims) bool {
	for i, v := range d {
		if !f.Matches(i, v) {
			return false
		}
	}
	return true
}
