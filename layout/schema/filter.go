package schema

import "slices"

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
	for dim := range f.allowed {
		f.allowed[dim] = []Values{Anything()}
	}

	return f
}

// Filter returns the schema document as a filter. Every form of allowed value
// is compared in its sanitised form, as paths have it.
func (s *Schema) Filter() Filter {
	// A filter is compared with paths, so its values take the form that paths have.
	filter := Filter{IncludeQuarantined: s.IncludeQuarantined}
	for dim, values := range s.Allowed {
		filter.allowed[dim] = []Values{values.sanitised(dim)}
	}

	// A schema that allows namespaces selects what it would let in.
	if s.Namespaces.some() {
		types := filter.allowed[Reason][0]
		applications := filter.allowed[AppName][0]
		namespaces := s.Namespaces
		filter.allowed[Reason] = []Values{{ranges: []func(string) bool{types.Allows, IsNamespace}}}
		filter.allowed[AppName] = []Values{{ranges: []func(string) bool{applications.Allows, func(value string) bool {
			return IsNamespace(value) && namespaces.Allows(value)
		}}}}

		// Their channel may be missing.
		channels := filter.allowed[Channel][0]
		filter.allowed[Channel] = []Values{{list: []string{Unknown}, ranges: []func(string) bool{channels.Allows}}}
	}

	return filter
}

// ParseFilter reads a schema-shaped document as a filter. Errors wrap ErrSchema.
func ParseFilter(doc []byte) (Filter, error) {
	schema, err := ParseSchema(doc)
	if err != nil {
		return Filter{}, err
	}

	return schema.Filter(), nil
}

// Where returns f narrowed to the partitions whose dimension dim is in values, which
// must be sanitised, as ParseWhere returns them.
func (f Filter) Where(dim int, values Values) Filter {
	// f is a copy that shares its slices with the caller's filter, which must not change.
	f.allowed[dim] = append(slices.Clip(f.allowed[dim]), values)
	return f
}

// Matches says whether value, a sanitised path component, is selected at level dim.
func (f Filter) Matches(dim int, value string) bool {
	for _, values := range f.allowed[dim] {
		if !values.Allows(value) {
			return false
		}
	}

	// A dimension without any set selects nothing, as in the zero Filter.
	return len(f.allowed[dim]) > 0
}

// Selects says whether the partition with these dimensions is selected.
func (f Filter) Selects(d Dims) bool {
	for dim, value := range d {
		if !f.Matches(dim, value) {
			return false
		}
	}
	return true
}
