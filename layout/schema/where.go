package schema

import (
	"fmt"
	"strings"
)

// Condition says which values of one dimension are selected, as a person writes it.
type Condition struct {
	Text   string // as it was written
	Dim    int
	Values Values   // in their sanitised form, as paths have them
	Exact  []string // the values that were named, not those in ranges
}

// ParseWhere reads a condition: "dim=" and a list of values and ranges, separated
// by commas. A range is "lo..hi", both inclusive; either may be missing. Spaces
// around values do not count. "dim=*" is any value.
//
// Ranges go by what the dimension is. Versions compare number by number, and a
// bound holds all versions that begin with it: "26..28" holds 28.0.1. Build IDs and
// dates compare as times, with the same rule. A date may be YYYYMMDD or YYYY-MM-DD.
// OTHER and UNKNOWN are in no range of these.
//
// The error says what is wrong with the condition, in a sentence.
func ParseWhere(text string) (Condition, error) {
	name, list, found := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	if !found {
		return Condition{}, fmt.Errorf("condition %q: want dimension=values or dimension=lo..hi", text)
	}

	dim := DimIndex(name)
	if dim < 0 {
		return Condition{}, fmt.Errorf("condition %q: no dimension %q; there are %s", text, name, strings.Join(DimNames[:], ", "))
	}

	c := Condition{Text: text, Dim: dim}
	for _, item := range strings.Split(list, ",") {
		// Spaces around commas are habit, and no value begins or ends with one.
		if err := c.add(strings.TrimSpace(item)); err != nil {
			return Condition{}, fmt.Errorf("condition %q: %w", text, err)
		}
	}

	return c, nil
}

// add adds a value or a range to the condition.
func (c *Condition) add(item string) error {
	lo, hi, ranged := strings.Cut(item, "..")

	switch {
	case item == "":
		return fmt.Errorf("a value is missing; an empty one is written %s", Unknown)
	case item == "*":
		c.Values.any = true
		return nil
	case strings.Contains(item, "..."):
		return fmt.Errorf("%q: a range has two dots", item)
	case ranged:
		return c.addRange(strings.TrimSpace(lo), strings.TrimSpace(hi))
	}

	// A date may have dashes, which Sanitise would replace.
	if c.Dim == SubmissionDate {
		date, err := plainDate(item)
		if err != nil {
			return err
		}
		item = date
	}

	c.Values.list = append(c.Values.list, forms(c.Dim, item)...)
	c.Exact = append(c.Exact, Sanitise(c.Dim, item))
	return nil
}

// addRange adds the values from lo to hi; "" is no bound.
func (c *Condition) addRange(lo, hi string) error {
	if lo == "" && hi == "" {
		return fmt.Errorf("the range has no bound")
	}

	// Bring both bounds into the form that is compared.
	order := orders[c.Dim]
	for _, bound := range []*string{&lo, &hi} {
		if *bound == "" {
			continue
		}

		plain, err := order.bound(*bound)
		if err != nil {
			return err
		}
		*bound = plain
	}

	if lo != "" && hi != "" && order.compare(lo, hi) > 0 {
		return fmt.Errorf("the range %s..%s is empty: its first bound is greater than its second", lo, hi)
	}

	// has leaves out values of another kind, such as OTHER among versions.
	c.Values.ranges = append(c.Values.ranges, func(value string) bool {
		return order.has(value) && (lo == "" || order.compare(value, lo) >= 0) && (hi == "" || order.compare(value, hi) <= 0)
	})
	return nil
}

// order is how the values of a dimension compare in ranges.
type order struct {
	bound   func(string) (string, error)  // a bound as it is compared, or what is wrong with it
	has     func(value string) bool       // whether a value is of the kind that ranges hold
	compare func(value, bound string) int // where a value that begins with the bound is equal to it
}

// orders is the order of each dimension.
var orders = [NumDims]order{
	Reason:         textOrder(Reason),
	AppName:        textOrder(AppName),
	Channel:        textOrder(Channel),
	Version:        {versionBound, isVersion, compareVersionToBound},
	BuildID:        {digitsBound, isDigits, comparePrefix},
	SubmissionDate: {datePrefix, isDigits, comparePrefix},
}

// textOrder is the order of a dimension whose values are names.
func textOrder(dim int) order {
	return order{
		bound:   func(bound string) (string, error) { return Sanitise(dim, bound), nil },
		has:     func(string) bool { return true },
		compare: strings.Compare,
	}
}

func isDigits(value string) bool { return value != "" && strings.Trim(value, "0123456789") == "" }

// comparePrefix compares as many digits as the shorter one has.
func comparePrefix(value, bound string) int {
	digits := min(len(value), len(bound))
	return strings.Compare(value[:digits], bound[:digits])
}

// digitsBound reads a bound of build IDs: digits, or a date with dashes.
func digitsBound(bound string) (string, error) {
	date, err := plainDate(bound)
	if err == nil {
		return date, nil
	}

	// The first digits of a build ID are a bound too: 2013 is all builds of that year.
	if !isDigits(bound) {
		return "", fmt.Errorf("%q is no build ID: want its digits, or the first of them", bound)
	}

	return bound, nil
}

// datePrefix reads a bound of dates: a date, a month or a year.
func datePrefix(bound string) (string, error) {
	// 2013 and 201309 are bounds too.
	if len(bound) == 4 && isDigits(bound) || len(bound) == 6 && isDigits(bound) {
		return bound, nil
	}

	return plainDate(bound)
}

// plainDate reads YYYYMMDD or YYYY-MM-DD and returns YYYYMMDD.
func plainDate(text string) (string, error) {
	// Only the dashes are removed here; ParseDate checks the rest.
	plain := text
	if len(text) == len("2006-01-02") && text[4] == '-' && text[7] == '-' {
		plain = text[:4] + text[5:7] + text[8:]
	}

	date, err := ParseDate(plain)
	if err != nil {
		return "", fmt.Errorf("%q is no date: want YYYYMMDD or YYYY-MM-DD", text)
	}

	return string(date), nil
}
